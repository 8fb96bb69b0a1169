"""The fields of the streams that few need, in the words of `sandbox_truth`."""

FURTHER = {
    "reports_click_details_members": """
        campaign_id:s, clicks:i, contact_status:s, email_address:s, email_id:s, list_id:s,
        list_is_active:b, merge_fields:o, url_id:s, vip:b
    """,
    "reports_advice": """
        message:s, type:s
    """,
    "reports_eepurl": """
        campaign_id:s, clicks:{clicks:i, first_click:dt, last_click:dt, locations:[{country:s,
        region:s}]}, eepurl:s, referrers:[{clicks:i, first_click:dt, last_click:dt, referrer:s}],
        total_items:i, twitter:{first_tweet:s, last_tweet:s, retweets:i, statuses:[{datetime:dt,
        is_retweet:b, screen_name:s, status:s, status_id:s}], tweets:i}
    """,
    "campaign_content": """
        archive_html:s, html:s, plain_text:s, variate_contents:[{content_label:s, html:s, plain_text:s}]
    """,
    "campaign_feedback": """
        block_id:i, campaign_id:s, created_at:dt, created_by:s, feedback_id:i, is_complete:b, message:s,
        parent_id:i, source:s, updated_at:dt
    """,
    "automation_email_queue": """
        email_address:s, email_id:s, id:s, list_id:s, next_send:dt, workflow_id:s
    """,
    "automation_removed_subscribers": """
        email_address:s, id:s, list_id:s, workflow_id:s
    """,
    "list_webhooks": """
        events:{campaign:b, cleaned:b, profile:b, subscribe:b, unsubscribe:b, upemail:b}, id:s,
        list_id:s, sources:{admin:b, api:b, user:b}, url:s
    """,
    "list_signup_forms": """
        header:{image_align:s, image_alt:s, image_border_color:s, image_border_style:s,
        image_border_width:s, image_height:s, image_link:s, image_target:s, image_url:s, image_width:s,
        text:s}, contents:[{section:s, value:s}], styles:[{selector:s, options:[{property:s,
        value:s}]}], signup_form_url:s, list_id:s
    """,
    "template_folders": """
        count:i, id:s, name:s
    """,
    "ecommerce_promo_rules": """
        amount:n, created_at_foreign:dt, description:s, enabled:b, ends_at:s, id:s, starts_at:dt,
        target:s, title:s, type:s, updated_at_foreign:dt
    """,
    "ecommerce_promo_codes": """
        code:s, created_at_foreign:dt, enabled:b, id:s, redemption_url:s, updated_at_foreign:dt,
        usage_count:i
    """,
    "reporting_surveys": """
        created_at:dt, id:s, list_id:s, list_name:s, published_at:dt, status:s, title:s,
        total_responses:i, updated_at:dt, url:s, web_id:i
    """,
    "reporting_survey_questions": """
        average_rating:n, contact_counts:{known:i, new:i, unknown:i}, has_other:b, id:s, is_required:b,
        merge_field:{id:i, label:s, type:s}, options:[{count:i, id:s, label:s}], other_label:s,
        placeholder_label:s, query:s, range_high_label:s, range_low_label:s,
        subscribe_checkbox_enabled:b, subscribe_checkbox_label:s, survey_id:s, total_responses:i, type:s
    """,
    "reporting_survey_responses": """
        contact:{avatar_url:s, consents_to_one_to_one_messaging:b, contact_id:s, email:s, email_id:s,
        full_name:s, status:s}, is_new_contact:b, response_id:s, submitted_at:dt
    """,
    "reporting_survey_answers": """
        contact:{avatar_url:s, consents_to_one_to_one_messaging:b, contact_id:s, email:s, email_id:s,
        full_name:s, status:s}, id:s, is_new_contact:b, response_id:s, submitted_at:dt, value:s
    """,
    "facebook_ads": """
        id:s, web_id:i, name:s, type:s, status:s, create_time:dt, start_time:dt, end_time:dt,
        published_time:dt, updated_at:dt, paused_at:dt, canceled_at:dt, budget:o, audience:o,
        recipients:o, report_summary:o
    """,
    "conversations": """
        campaign_id:s, from_email:s, from_label:s, id:s, last_message:{from_email:s, from_label:s,
        message:s, read:b, subject:s, timestamp:dt}, list_id:s, message_count:i, subject:s,
        unread_messages:i
    """,
    "conversation_messages": """
        conversation_id:s, from_email:s, from_label:s, id:s, list_id:s, message:s, read:b, subject:s,
        timestamp:dt
    """,
    "file_manager_files": """
        created_at:dt, created_by:s, folder_id:i, full_size_url:s, height:i, id:i, name:s, size:i,
        thumbnail_url:s, type:s, width:i
    """,
    "file_manager_folders": """
        created_at:dt, created_by:s, file_count:i, id:i, name:s
    """,
    "verified_domains": """
        authenticated:b, domain:s, verification_email:s, verification_sent:dt, verified:b
    """,
    "connected_sites": """
        created_at:dt, domain:s, foreign_id:s, platform:s, site_script:{fragment:s, url:s}, store_id:s,
        updated_at:dt
    """,
    "sms_campaigns": """
        id:s, web_id:s, name:s, status:s, channel:s, list_id:i, recipient_count:i, create_time:dt,
        send_time:dt, updated_at:dt, expire_time:dt, is_send_now:b, folder_id:s, segments:[i],
        excluded_segments:[i]
    """,
    "member_tags": """
        member_last_changed:dt, date_added:dt, id:i, name:s
    """,
    "member_notes": """
        member_last_changed:dt, contact_id:s, created_at:dt, created_by:s, email_id:s, id:i, list_id:s, note:s,
        updated_at:dt
    """,
    "audience_contacts": """
        audience_id:s, id:s, created_at:dt, last_updated_at:dt, status:s, language:s, source:s,
        tags:[s], merge_fields:o, email_channel:{email:s, hashed_email:s, source:s, marketing_consent:o,
        effective_subscription_status:o}, sms_channel:o
    """,
    "chimp_chatter": """
        campaign_id:s, list_id:s, message:s, title:s, type:s, update_time:dt, url:s
    """,
}
