# file: firmware/lib/store.c
# the two configurations are exchanged when the index is written
s/sbuf_putf(b, "config %s ", slot_names\[i\]);/sbuf_putf(b, "config %s ", slot_names[1 - i]);/
s/sbuf_putf(&b, "config %s ", slot_names\[i\]);/sbuf_putf(\&b, "config %s ", slot_names[1 - i]);/
