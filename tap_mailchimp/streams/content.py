"""What campaigns and pages are made of: templates, landing pages, files."""

from __future__ import annotations

from shared.streams import Parent

from ..defaults import by_type, oldest_first, page, since, stream, without

CONTENT_STREAMS = (
    stream(
        name="templates",
        description="Templates: the account's own, unless template_types says otherwise",
        path="/templates",
        records="templates",
        params=page(**oldest_first("date_created")),
        sparse=without("templates"),
        partitions=by_type("template_types"),
    ),
    stream(
        name="template_default_content",
        description="What stands in the sections of each template before anybody edits them",
        path="/templates/{template_id}/default-content",
        sparse=without(""),
        parent=Parent(stream="templates", keys={"template_id": "id"}),
        params={},
        total="",
        next_page=None,
        shrink=None,
        key_properties=("template_id",),
        selected=False,
        cost="1 request per template",
    ),
    stream(
        name="template_folders",
        description="Folders of templates",
        path="/template-folders",
        records="folders",
        sparse=without("folders"),
        selected=False,
    ),
    stream(
        name="landing_pages",
        description="Landing pages",
        path="/landing-pages",
        records="landing_pages",
        params={"count": 1000, **oldest_first("created_at")},  # `offset` is not published, so nothing may be left over
        sparse=without("landing_pages"),
    ),
    stream(
        name="landing_page_content",
        description="HTML of each landing page",
        path="/landing-pages/{page_id}/content",
        sparse=without(""),
        parent=Parent(stream="landing_pages", keys={"page_id": "id"}),
        params={},
        total="",
        next_page=None,
        shrink=None,
        key_properties=("page_id",),
        selected=False,
        cost="1 request per landing page, with its whole HTML",
    ),
    stream(
        name="file_manager_files",
        description="Images and other files",
        path="/file-manager/files",
        records="files",
        params=page(**oldest_first("added_date")),
        sparse=without("files"),
        replication_key="created_at",
        since=since("since_created_at"),
        selected=False,
    ),
    stream(
        name="file_manager_folders",
        description="Folders of files",
        path="/file-manager/folders",
        records="folders",
        sparse=without("folders"),
        selected=False,
    ),
)
