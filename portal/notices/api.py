"""REST of notices: shapes, and methods that parse, ask one selector or service, and answer."""

from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from portal.core.api.paging import keyset_page, page_response, page_serializer
from portal.core.api.views import ApiView, caller, endpoint, parsed, parsed_query
from portal.core.policy import Action
from portal.notices import selectors, services
from portal.notices.models import Notice
from portal.notices.wording import text_of

MOST_IDS = 200


class NoticeSerializer(serializers.Serializer[Notice]):
    """Something that you should know."""

    id = serializers.UUIDField()
    kind = serializers.CharField()
    text = serializers.SerializerMethodField(help_text="One sentence, in the caller's language.")
    facts = serializers.DictField(help_text="What the sentence is made of.")
    url = serializers.CharField(help_text="The page that it is about, a path.")
    created = serializers.DateTimeField()
    read_at = serializers.DateTimeField(allow_null=True)

    def get_text(self, notice: Notice) -> str:
        """Return the sentence."""
        return text_of(notice.kind, notice.facts)


class NoticeFilterSerializer(serializers.Serializer[Any]):
    """Which notices."""

    unread = serializers.BooleanField(required=False, default=False, help_text="Only those that are not read.")


class NoticesReadSerializer(serializers.Serializer[Any]):
    """Which notices were read."""

    ids = serializers.ListField(
        child=serializers.UUIDField(), required=False, max_length=MOST_IDS, help_text="All where it is left out."
    )


class NoticesMarkedSerializer(serializers.Serializer[Any]):
    """How many notices were marked."""

    marked = serializers.IntegerField()


class NoticesView(ApiView):
    """The caller's notices."""

    @endpoint(Action.SIGNED_IN, query=NoticeFilterSerializer, answers={200: page_serializer(NoticeSerializer)})
    def get(self, request: Request) -> Response:
        """List what you were told of, newest first."""
        unread = parsed_query(NoticeFilterSerializer, request)["unread"]
        rows = selectors.notice_list(user=caller(request), unread=unread)
        return page_response(request, keyset_page(request, rows, order=("-created", "-id")), NoticeSerializer)


class NoticesReadView(ApiView):
    """Marks notices as read."""

    @endpoint(Action.SIGNED_IN, body=NoticesReadSerializer, answers={200: NoticesMarkedSerializer})
    def post(self, request: Request) -> Response:
        """Mark your notices as read: those that are named, or all."""
        values = parsed(NoticesReadSerializer, request)
        return Response({"marked": services.notices_read(actor=caller(request), ids=values.get("ids"))})
