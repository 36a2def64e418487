# file: firmware/mgmtd/json_read.c
# a key may come twice
s/if (out\[i\].is_set)/if (out[i].is_set \&\& count > 9)/
