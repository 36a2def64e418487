# file: firmware/mgmtd/json_read.c
# half of a surrogate pair is taken
s/if (low < 0xdc00 || low > 0xdfff)/if (low > 0xdfff)/
