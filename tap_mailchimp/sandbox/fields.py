"""The fields of every stream's rows as the vendor's contract lists them, written apart from the tap's schemas.

`s` string, `i` integer, `n` number, `b` boolean, `dt` date-time, `o` free-form object, `[x]` array of x, `{..}` object.
"""

FIELDS = {
    # Audiences
    "lists": """
        beamer_address:s, campaign_defaults:{from_email:s, from_name:s, language:s, subject:s},
        contact:{address1:s, address2:s, city:s, company:s, country:s, phone:s, state:s, zip:s},
        date_created:dt, double_optin:b, email_type_option:b, has_welcome:b, id:s, list_rating:i,
        marketing_permissions:b, modules:[s], name:s, notify_on_subscribe:s, notify_on_unsubscribe:s,
        permission_reminder:s, stats:{avg_sub_rate:n, avg_unsub_rate:n, campaign_count:i, campaign_last_sent:dt,
        cleaned_count:i, cleaned_count_since_send:i, click_rate:n, last_sub_date:dt, last_unsub_date:dt,
        member_count:i, member_count_since_send:i, merge_field_count:i, open_rate:n, target_sub_rate:n,
        total_contacts:i, unsubscribe_count:i, unsubscribe_count_since_send:i}, subscribe_url_long:s,
        subscribe_url_short:s, use_archive_bar:b, visibility:s, web_id:i
    """,
    "list_segments": """
        created_at:dt, id:i, list_id:s, member_count:i, name:s, options:{conditions:[o], match:s}, type:s,
        updated_at:dt
    """,
    "list_segment_members": """
        segment_id:i, email_address:s, email_client:s, email_type:s, id:s, interests:o, ip_opt:s, ip_signup:s,
        language:s, last_changed:dt, last_note:{created_at:dt, created_by:s, note:s, note_id:i}, list_id:s,
        location:{country_code:s, dstoff:i, gmtoff:i, latitude:n, longitude:n, timezone:s}, member_rating:i,
        merge_fields:o, stats:{avg_click_rate:n, avg_open_rate:n}, status:s, timestamp_opt:dt,
        timestamp_signup:dt, unique_email_id:s, vip:b
    """,
    "tags": """
        id:i, name:s
    """,
    "interest_categories": """
        display_order:i, id:s, list_id:s, title:s, type:s
    """,
    "interests": """
        category_id:s, display_order:i, id:s, list_id:s, name:s, subscriber_count:s
    """,
    "merge_fields": """
        default_value:s, display_order:i, help_text:s, list_id:s, merge_id:i, name:s, options:{choices:[s],
        date_format:s, default_country:i, phone_format:s, size:i}, public:b, required:b, tag:s, type:s
    """,
    "list_growth_history": """
        cleaned:i, deleted:i, existing:i, imports:i, list_id:s, month:s, optins:i, pending:i, reconfirm:i,
        subscribed:i, transactional:i, unsubscribed:i
    """,
    "list_activity": """
        day:s, emails_sent:i, hard_bounce:i, other_adds:i, other_removes:i, recipient_clicks:i, soft_bounce:i,
        subs:i, unique_opens:i, unsubs:i
    """,
    "list_locations": """
        cc:s, country:s, percent:n, total:i
    """,
    "list_clients": """
        client:s, members:i
    """,
    "list_abuse_reports": """
        campaign_id:s, date:s, email_address:s, email_id:s, id:i, list_id:s, merge_fields:o, vip:b
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
    # Members
    "list_members": """
        consents_to_one_to_one_messaging:b, contact_id:s, email_address:s, email_client:s, email_type:s,
        full_name:s, id:s, interests:o, ip_opt:s, ip_signup:s, language:s, last_changed:dt,
        last_note:{created_at:dt, created_by:s, note:s, note_id:i}, list_id:s, location:{country_code:s,
        dstoff:i, gmtoff:i, latitude:n, longitude:n, region:s, timezone:s}, marketing_permissions:[{enabled:b,
        marketing_permission_id:s, text:s}], member_rating:i, merge_fields:o, source:s, stats:{avg_click_rate:n,
        avg_open_rate:n, ecommerce_data:{currency_code:s, number_of_orders:n, total_revenue:n}}, status:s,
        tags:[{id:i, name:s}], tags_count:i, timestamp_opt:dt, timestamp_signup:dt, unique_email_id:s,
        unsubscribe_reason:s, vip:b, web_id:i, sms_phone_number:s, sms_subscription_status:s,
        sms_subscription_last_updated:dt
    """,
    "member_tags": """
        member_last_changed:dt, date_added:dt, id:i, name:s
    """,
    "member_notes": """
        member_last_changed:dt, contact_id:s, created_at:dt, created_by:s, email_id:s, id:i, list_id:s, note:s,
        updated_at:dt
    """,
    "member_activity": """
        member_last_changed:dt, action:s, campaign_id:s, parent_campaign:s, timestamp:dt, title:s, type:s, url:s
    """,
    "member_activity_feed": """
        member_last_changed:dt, activity_type:s, campaign_id:s, campaign_title:s, created_at_timestamp:dt,
        link_clicked:s, bounce_has_open_activity:b, bounce_type:s, is_admin_unsubscribed:b, unsubscribe_reason:s,
        avatar_url:s, created_by:s, from_email:s, has_read:b, is_user:b, message_text:s, thread_id:s, note_id:s,
        note_text:s, updated_at_timestamp:dt, marketing_permission_opted_in:b, marketing_permisson_text:s,
        updated_by:s, outreach_id:s, outreach_title:s, outreach_type:s, store_name:s, signup_category:s, order_id:s,
        order_items:[{discount:n, id:s, image_url:s, price:n, product_id:s, product_title:s, product_variant_id:s,
        product_variant_title:s, quantity:i}], order_total:s, order_url:s, event_name:s, event_properties:[s],
        survey_id:s, survey_title:s
    """,
    "member_events": """
        member_last_changed:dt, name:s, occurred_at:dt, properties:o
    """,
    "member_goals": """
        member_last_changed:dt, data:s, event:s, goal_id:i, last_visited_at:dt
    """,
    "audience_contacts": """
        audience_id:s, id:s, created_at:dt, last_updated_at:dt, status:s, language:s, source:s,
        tags:[s], merge_fields:o, email_channel:{email:s, hashed_email:s, source:s, marketing_consent:o,
        effective_subscription_status:o}, sms_channel:o
    """,
    # Campaigns and automations
    "campaigns": """
        ab_split_opts:{from_name_a:s, from_name_b:s, pick_winner:s, reply_email_a:s, reply_email_b:s,
        send_time_a:dt, send_time_b:dt, send_time_winner:s, split_size:i, split_test:s, subject_a:s,
        subject_b:s, wait_time:i, wait_units:s}, archive_url:s, content_type:s, create_time:dt,
        delivery_status:{can_cancel:b, emails_canceled:i, emails_sent:i, enabled:b, status:s}, emails_sent:i,
        id:s, long_archive_url:s, needs_block_refresh:b, parent_campaign_id:s, recipients:{list_id:s,
        list_is_active:b, list_name:s, recipient_count:i, segment_opts:{conditions:[o], match:s,
        prebuilt_segment_id:s, saved_segment_id:i}, segment_text:s}, report_summary:{click_rate:n, clicks:i,
        ecommerce:{total_orders:i, total_revenue:n, total_spent:n}, open_rate:n, opens:i, subscriber_clicks:i,
        unique_opens:i}, resendable:b, rss_opts:{constrain_rss_img:b, feed_url:s, frequency:s, last_sent:dt,
        schedule:{daily_send:{friday:b, monday:b, saturday:b, sunday:b, thursday:b, tuesday:b, wednesday:b},
        hour:i, monthly_send_date:n, weekly_send_day:s}}, send_time:dt, settings:{authenticate:b,
        auto_fb_post:[s], auto_footer:b, auto_tweet:b, drag_and_drop:b, fb_comments:b, folder_id:s, from_name:s,
        inline_css:b, preview_text:s, reply_to:s, subject_line:s, template_id:i, timewarp:b, title:s, to_name:s,
        use_conversation:b}, social_card:{description:s, image_url:s, title:s}, status:s,
        tracking:{capsule:{notes:b}, clicktale:s, ecomm360:b, goal_tracking:b, google_analytics:s,
        html_clicks:b, opens:b, salesforce:{campaign:b, notes:b}, text_clicks:b}, type:s,
        variate_settings:{combinations:[{content_description:i, from_name:i, id:s, recipients:i, reply_to:i,
        send_time:i, subject_line:i}], contents:[s], from_names:[s], reply_to_addresses:[s], send_times:[dt],
        subject_lines:[s], test_size:i, wait_time:i, winner_criteria:s, winning_campaign_id:s,
        winning_combination_id:s}, web_id:i, has_logo_merge_tag:b
    """,
    "campaign_content": """
        archive_html:s, html:s, plain_text:s, variate_contents:[{content_label:s, html:s, plain_text:s}]
    """,
    "campaign_feedback": """
        block_id:i, campaign_id:s, created_at:dt, created_by:s, feedback_id:i, is_complete:b, message:s,
        parent_id:i, source:s, updated_at:dt
    """,
    "campaign_folders": """
        count:i, id:s, name:s
    """,
    "automations": """
        create_time:dt, emails_sent:i, id:s, recipients:{list_id:s, list_is_active:b, list_name:s,
        segment_opts:{conditions:[o], match:s, saved_segment_id:i}, store_id:s}, report_summary:{click_rate:n,
        clicks:i, open_rate:n, opens:i, subscriber_clicks:i, unique_opens:i}, settings:{authenticate:b,
        auto_footer:b, from_name:s, inline_css:b, reply_to:s, title:s, to_name:s, use_conversation:b},
        start_time:dt, status:s, tracking:{capsule:{notes:b}, clicktale:s, ecomm360:b, goal_tracking:b,
        google_analytics:s, html_clicks:b, opens:b, salesforce:{campaign:b, notes:b}, text_clicks:b},
        trigger_settings:{runtime:{days:[s], hours:{type:s}}, workflow_emails_count:i, workflow_title:s,
        workflow_type:s}
    """,
    "automation_emails": """
        archive_url:s, content_type:s, create_time:dt, delay:{action:s, action_description:s, amount:i,
        direction:s, full_description:s, type:s}, emails_sent:i, has_logo_merge_tag:b, id:s,
        needs_block_refresh:b, position:i, recipients:{list_id:s, list_is_active:b, list_name:s,
        recipient_count:i, segment_opts:{conditions:[o], match:s, prebuilt_segment_id:s, saved_segment_id:i},
        segment_text:s}, report_summary:{click_rate:n, clicks:i, open_rate:n, opens:i, subscriber_clicks:i,
        unique_opens:i}, send_time:dt, settings:{authenticate:b, auto_fb_post:[s], auto_footer:b, auto_tweet:b,
        drag_and_drop:b, fb_comments:b, from_name:s, inline_css:b, preview_text:s, reply_to:s, subject_line:s,
        template_id:i, title:s}, social_card:{description:s, image_url:s, title:s}, start_time:dt, status:s,
        tracking:{capsule:{notes:b}, clicktale:s, ecomm360:b, goal_tracking:b, google_analytics:s,
        html_clicks:b, opens:b, salesforce:{campaign:b, notes:b}, text_clicks:b},
        trigger_settings:{runtime:{days:[s], hours:{type:s}}, workflow_emails_count:i, workflow_title:s,
        workflow_type:s}, web_id:i, workflow_id:s
    """,
    "automation_email_queue": """
        email_address:s, email_id:s, id:s, list_id:s, next_send:dt, workflow_id:s
    """,
    "automation_removed_subscribers": """
        email_address:s, id:s, list_id:s, workflow_id:s
    """,
    "sms_campaigns": """
        id:s, web_id:s, name:s, status:s, channel:s, list_id:i, recipient_count:i, create_time:dt,
        send_time:dt, updated_at:dt, expire_time:dt, is_send_now:b, folder_id:s, segments:[i],
        excluded_segments:[i]
    """,
    # Reports
    "reports": """
        ab_split:{a:{abuse_reports:i, bounces:i, forwards:i, forwards_opens:i, last_open:s, opens:i,
        recipient_clicks:i, unique_opens:i, unsubs:i}, b:{abuse_reports:i, bounces:i, forwards:i,
        forwards_opens:i, last_open:s, opens:i, recipient_clicks:i, unique_opens:i, unsubs:i}}, abuse_reports:i,
        bounces:{hard_bounces:i, soft_bounces:i, syntax_errors:i}, campaign_title:s, clicks:{click_rate:n,
        clicks_total:i, last_click:dt, unique_clicks:i, unique_subscriber_clicks:i},
        delivery_status:{can_cancel:b, emails_canceled:i, emails_sent:i, enabled:b, status:s},
        ecommerce:{currency_code:s, total_orders:i, total_revenue:n, total_spent:n}, emails_sent:i,
        facebook_likes:{facebook_likes:i, recipient_likes:i, unique_likes:i}, forwards:{forwards_count:i,
        forwards_opens:i}, id:s, industry_stats:{abuse_rate:n, bounce_rate:n, click_rate:n, open_rate:n, type:s,
        unopen_rate:n, unsub_rate:n}, list_id:s, list_is_active:b, list_name:s, list_stats:{click_rate:n,
        open_rate:n, sub_rate:n, unsub_rate:n}, opens:{last_open:dt, open_rate:n, opens_total:i, unique_opens:i,
        proxy_excluded_opens:i, proxy_excluded_unique_opens:i, proxy_excluded_open_rate:n}, preview_text:s,
        rss_last_send:dt, send_time:dt, share_report:{share_password:s, share_url:s}, subject_line:s,
        timeseries:[{emails_sent:i, recipients_clicks:i, timestamp:dt, unique_opens:i}], timewarp:[{bounces:i,
        clicks:i, gmt_offset:i, last_click:dt, last_open:dt, opens:i, unique_clicks:i, unique_opens:i}], type:s,
        unsubscribed:i
    """,
    "reports_email_activity": """
        campaign_id:s, list_id:s, list_is_active:b, email_id:s, email_address:s, action:s, type:s, timestamp:dt,
        ip:s, url:s
    """,
    "unsubscribes": """
        campaign_id:s, email_address:s, email_id:s, list_id:s, list_is_active:b, merge_fields:o, reason:s,
        timestamp:dt, vip:b
    """,
    "reports_sent_to": """
        absplit_group:s, campaign_id:s, email_address:s, email_id:s, gmt_offset:i, last_open:dt, list_id:s,
        list_is_active:b, merge_fields:o, open_count:i, status:s, vip:b
    """,
    "reports_open_details": """
        campaign_id:s, contact_status:s, email_address:s, email_id:s, list_id:s, list_is_active:b,
        merge_fields:o, opens:[{timestamp:dt, is_proxy_open:b}], opens_count:i, vip:b,
        proxy_excluded_opens_count:i
    """,
    "reports_click_details": """
        ab_split:{a:{click_percentage_a:n, total_clicks_a:i, unique_click_percentage_a:n, unique_clicks_a:i},
        b:{click_percentage_b:n, total_clicks_b:i, unique_click_percentage_b:n, unique_clicks_b:i}},
        campaign_id:s, click_percentage:n, id:s, last_click:dt, total_clicks:i, unique_click_percentage:n,
        unique_clicks:i, url:s
    """,
    "reports_click_details_members": """
        campaign_id:s, clicks:i, contact_status:s, email_address:s, email_id:s, list_id:s,
        list_is_active:b, merge_fields:o, url_id:s, vip:b
    """,
    "reports_domain_performance": """
        bounces:i, bounces_pct:n, clicks:i, clicks_pct:n, delivered:i, domain:s, emails_pct:n, emails_sent:i,
        opens:i, opens_pct:n, unsubs:i, unsubs_pct:n
    """,
    "reports_locations": """
        country_code:s, opens:i, proxy_excluded_opens:i , region:s, region_name:s
    """,
    "reports_abuse": """
        campaign_id:s, date:dt, email_address:s, email_id:s, id:i, list_id:s, list_is_active:b, merge_fields:o,
        vip:b
    """,
    "reports_ecommerce_product_activity": """
        currency_code:s, image_url:s, recommendation_purchased:i, recommendation_total:i, sku:s, title:s,
        total_purchased:n, total_revenue:n
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
    # E-commerce
    "ecommerce_stores": """
        address:{address1:s, address2:s, city:s, country:s, country_code:s, latitude:n, longitude:n,
        postal_code:s, province:s, province_code:s}, automations:{abandoned_browse:{id:s, is_supported:b,
        status:s}, abandoned_cart:{id:s, is_supported:b, status:s}}, connected_site:{site_foreign_id:s,
        site_script:{fragment:s, url:s}}, created_at:dt, currency_code:s, domain:s, email_address:s, id:s,
        is_syncing:b, list_id:s, list_is_active:b, money_format:s, name:s, phone:s, platform:s,
        primary_locale:s, timezone:s, updated_at:dt
    """,
    "ecommerce_orders": """
        billing_address:{address1:s, address2:s, city:s, company:s, country:s, country_code:s, latitude:n,
        longitude:n, name:s, phone:s, postal_code:s, province:s, province_code:s}, campaign_id:s,
        cancelled_at_foreign:dt, currency_code:s, customer:{address:{address1:s, address2:s, city:s, country:s,
        country_code:s, postal_code:s, province:s, province_code:s}, company:s, created_at:dt, email_address:s,
        first_name:s, id:s, last_name:s, opt_in_status:b, orders_count:i, total_spent:n, updated_at:dt},
        discount_total:n, financial_status:s, fulfillment_status:s, id:s, landing_site:s, lines:[{discount:n,
        id:s, image_url:s, price:n, product_id:s, product_title:s, product_variant_id:s,
        product_variant_title:s, quantity:i}], order_total:n, order_url:s, outreach:{id:s, name:s,
        published_time:dt, type:s}, processed_at_foreign:dt, promos:[{amount_discounted:n, code:s, type:s}],
        shipping_address:{address1:s, address2:s, city:s, company:s, country:s, country_code:s, latitude:n,
        longitude:n, name:s, phone:s, postal_code:s, province:s, province_code:s}, shipping_total:n, store_id:s,
        tax_total:n, tracking_carrier:s, tracking_code:s, tracking_number:s, tracking_url:s,
        updated_at_foreign:dt
    """,
    "ecommerce_customers": """
        address:{address1:s, address2:s, city:s, country:s, country_code:s, postal_code:s, province:s,
        province_code:s}, company:s, created_at:dt, email_address:s, first_name:s, id:s, last_name:s,
        opt_in_status:b, orders_count:i, total_spent:n, updated_at:dt
    """,
    "ecommerce_products": """
        currency_code:s, description:s, handle:s, id:s, image_url:s, images:[{id:s, url:s, variant_ids:[s]}],
        published_at_foreign:dt, title:s, type:s, url:s, variants:[{backorders:s, created_at:dt, id:s,
        image_url:s, inventory_quantity:i, price:n, sku:s, title:s, updated_at:dt, url:s, visibility:s}],
        vendor:s
    """,
    "ecommerce_carts": """
        campaign_id:s, checkout_url:s, created_at:dt, currency_code:s, customer:{address:{address1:s,
        address2:s, city:s, country:s, country_code:s, postal_code:s, province:s, province_code:s}, company:s,
        created_at:dt, email_address:s, first_name:s, id:s, last_name:s, opt_in_status:b, orders_count:i,
        total_spent:n, updated_at:dt}, id:s, lines:[{id:s, price:n, product_id:s, product_title:s,
        product_variant_id:s, product_variant_title:s, quantity:i}], order_total:n, tax_total:n, updated_at:dt
    """,
    "ecommerce_promo_rules": """
        amount:n, created_at_foreign:dt, description:s, enabled:b, ends_at:s, id:s, starts_at:dt,
        target:s, title:s, type:s, updated_at_foreign:dt
    """,
    "ecommerce_promo_codes": """
        code:s, created_at_foreign:dt, enabled:b, id:s, redemption_url:s, updated_at_foreign:dt,
        usage_count:i
    """,
    # Content
    "templates": """
        active:b, category:s, content_type:s, created_by:s, date_created:dt, date_edited:dt, drag_and_drop:b,
        edited_by:s, folder_id:s, id:i, name:s, responsive:b, share_url:s, thumbnail:s, type:s
    """,
    "template_folders": """
        count:i, id:s, name:s
    """,
    "landing_pages": """
        created_at:dt, created_by_source:s, description:s, id:s, list_id:s, name:s, published_at:dt, status:s,
        store_id:s, template_id:i, title:s, tracking:{enable_restricted_data_processing:b,
        track_with_mailchimp:b}, unpublished_at:dt, updated_at:dt, url:s, web_id:i
    """,
    "file_manager_files": """
        created_at:dt, created_by:s, folder_id:i, full_size_url:s, height:i, id:i, name:s, size:i,
        thumbnail_url:s, type:s, width:i
    """,
    "file_manager_folders": """
        created_at:dt, created_by:s, file_count:i, id:i, name:s
    """,
    # Reporting
    "reporting_landing_pages": """
        clicks:i, conversion_rate:n, ecommerce:{average_order_revenue:n, currency_code:s, total_orders:i,
        total_revenue:n}, id:s, list_id:s, list_name:s, name:s, published_at:dt, signup_tags:[{tag_id:i,
        tag_name:s}], status:s, subscribes:i, timeseries:{daily_stats:{clicks:[{date:s, val:i}],
        unique_visits:[{date:s, val:i}], visits:[{date:s, val:i}]}, weekly_stats:{clicks:[{date:s, val:i}],
        unique_visits:[{date:s, val:i}], visits:[{date:s, val:i}]}}, title:s, unique_visits:i,
        unpublished_at:dt, url:s, visits:i, web_id:i
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
    # Account
    "account": """
        account_id:s, account_industry:s, account_name:s, account_timezone:s, avatar_url:s, contact:{addr1:s,
        addr2:s, city:s, company:s, country:s, state:s, zip:s}, email:s, first_name:s, first_payment:dt,
        industry_stats:{bounce_rate:n, click_rate:n, open_rate:n}, last_login:dt, last_name:s, login_id:s,
        member_since:dt, pricing_plan_type:s, pro_enabled:b, role:s, total_subscribers:i, username:s
    """,
    "chimp_chatter": """
        campaign_id:s, list_id:s, message:s, title:s, type:s, update_time:dt, url:s
    """,
    "verified_domains": """
        authenticated:b, domain:s, verification_email:s, verification_sent:dt, verified:b
    """,
    "connected_sites": """
        created_at:dt, domain:s, foreign_id:s, platform:s, site_script:{fragment:s, url:s}, store_id:s,
        updated_at:dt
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
}
