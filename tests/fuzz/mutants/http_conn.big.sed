# file: firmware/mgmtd/http_conn.c
# the room for a large body is not given back
s/^	http_drop_big(c);$//
