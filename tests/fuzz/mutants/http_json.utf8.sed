# file: firmware/mgmtd/json_read.c
# reads beyond a sequence that is cut off
s/if (len > n)/if (len > n + 3)/
