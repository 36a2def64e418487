# file: firmware/lib/ipc.c
# a message longer than its length field says is taken
s/if (packet.n > len)/if (packet.n > len + 64U)/
