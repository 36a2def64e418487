# file: firmware/mgmtd/http_reply.c
# an answer says another length than it has
s/"Content-Length: %zu\\r\\n", n)/"Content-Length: %zu\\r\\n", n + 1)/
