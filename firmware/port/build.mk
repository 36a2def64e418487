# lwIP and mbedTLS of the management plane: built from Debian's source packages
# with our options, cached by content (toolchain/port/build). Only firmware/mgmtd
# uses them; signatures are verified with Debian's own libmbedcrypto.

PORTS := lwip mbedtls
PORT_KEYS := $(PORTS:%=$(O)/port/%/key)
PORT_LIBS := $(PORTS:%=$(O)/port/%/lib.a)
PORT_CPPFLAGS := $(PORTS:%=-isystem $(O)/port/%/include) \
	-DMBEDTLS_CONFIG_FILE='"luytre_mbedtls.h"'

# The script knows by itself whether anything has changed; the key keeps its time
# when not.
$(O)/port/%/key: port-always $(O)/autoconf.h
	@toolchain/port/build $* $(@D) $(CC) $(AR) $(O)/autoconf.h -std=gnu11 -O2 -g \
		$(HARDEN) -ffunction-sections -fdata-sections -ffile-prefix-map=/cache/=
$(PORT_LIBS): %/lib.a: %/key
	@:
.PHONY: port-always
port-always:
