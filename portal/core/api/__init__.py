"""The floor of REST: every endpoint stands on `ApiView`, and says by `@endpoint` what it needs and answers.

    class TenantsView(ApiView):
        @endpoint(Action.TENANT_VIEW, answers={200: page_serializer(TenantSerializer)})
        def get(self, request: Request) -> Response:
            '''List the tenants that you may see.'''   # the first line is the summary in OpenAPI
            page = keyset_page(request, selectors.tenant_list(user=caller(request)), order=("name", "id"))
            return page_response(request, page, TenantSerializer)

        @endpoint(Action.TENANT_CREATE, body=NewTenantSerializer, answers={201: TenantSerializer}, creates=True)
        def post(self, request: Request) -> Response:
            values = parsed(NewTenantSerializer, request)      # 400 by field
            ...

- `caller(request)` is the signed-in User; give it to selectors and services, which ask `policy` and `visible_to`.
  A token that is bound to a tenant narrows both by itself (`User.bound_tenant_id`).
- Services raise `portal.core.errors`; do not catch them: `faults` answers 400/403/404/409 in the one shape, 503 when
  the database is away.
- A token's scope follows the method (GET read, others manage); submit, cancel and clone say `scope=Scope.SUBMIT`.
- `idempotency_key(request)` reads the header for services that take a key (`creates=True` documents it);
  `created_once` does the whole thing for those that don't.
- A selector with a cursor of its own: `limit_of(request)`, `token_of(request)`, `BadCursor`,
  `list_response(request, data, token)`.
- Query parameters: `parsed_query(SerializerClass, request)` and `query=SerializerClass` in `@endpoint`.
- Urls: `<app>/api/urls.py`, included by `portal/web/api/urls.py` under `/api/v1/`.
"""
