# Daemons and libraries of the device, for any board: `make firmware BOARD=...`.
# out/BOARD/{.config,autoconf.h,obj,lib,sbin}; arm64 boards use the cross
# compiler, the board "host" builds the same sources for amd64.

O := out/$(BOARD)
ifeq ($(BOARD),host)
CROSS :=
else
CROSS := aarch64-linux-gnu-
endif
CC := $(CROSS)gcc
AR := $(CROSS)ar
STRIP := $(CROSS)strip
Q := $(if $(V),,@)

WARN := -Wall -Wextra -Wshadow -Wconversion -Wsign-conversion -Wundef -Wvla \
	-Wformat=2 -Wstrict-prototypes -Wmissing-prototypes -Wimplicit-fallthrough \
	-Wswitch-enum -Wcast-align -Wpointer-arith -Wwrite-strings -Werror \
	-Wduplicated-cond -Wlogical-op
HARDEN := -D_FORTIFY_SOURCE=3 -fstack-protector-strong -fstack-clash-protection \
	-fPIE -ftrivial-auto-var-init=zero
CFLAGS := -std=gnu11 -O2 -g $(WARN) $(HARDEN) -fstack-usage \
	-ffile-prefix-map=/src/= -MMD -MP
CPPFLAGS := -D_GNU_SOURCE -Ifirmware/include -Ifirmware -Ifirmware/lib -include $(O)/autoconf.h
LDFLAGS := -pie -Wl,-z,relro,-z,now,-z,noexecstack,--as-needed

# Daemons: one folder each, every .c file of it; LIBS_name is what it links.
DAEMONS := svcd policyd consoled devctl mgmtd
LIBS_svcd :=
LIBS_policyd := -lnftnl -lmnl -ljansson
LIBS_consoled :=
LIBS_devctl :=
LIBS_mgmtd = $(PORT_LIBS)

LIB_SRC := $(wildcard firmware/lib/*.c)
LIB_OBJ := $(LIB_SRC:%.c=$(O)/obj/%.o)
LIB := $(O)/lib/libluytre.a
# What firmware/lib itself needs of the system.
LIB_LIBS := -lmbedx509 -lmbedcrypto

include firmware/port/build.mk

# mgmtd is linked statically, with its own mbedTLS, and runs in an empty folder. All
# that is in it is compiled with that mbedTLS's headers, into obj/mgmt.
MGMT_LIB_SRC := $(patsubst %,firmware/lib/%.c,accounts accounts_file accounts_rules \
	b64 err file hex ipc password sealed span totp wipe)
MGMT_SRC := $(wildcard firmware/mgmtd/*.c) $(wildcard firmware/port/seccomp/*.c) \
	$(MGMT_LIB_SRC)
MGMT_OBJ := $(MGMT_SRC:%.c=$(O)/obj/mgmt/%.o)

# The pages that webd serves.
UI_SRC := $(shell find web-ui -type f)
$(O)/sbin/web.pack: $(UI_SRC) toolchain/uipack/uipack
	$(if $(V),,@echo "  PACK  $(BOARD) web.pack")
	$(Q)mkdir -p $(@D)
	$(Q)toolchain/uipack/uipack --out $@ >/dev/null

.PHONY: firmware
firmware: $(DAEMONS:%=$(O)/sbin/%) $(O)/sbin/web.pack

$(O)/obj/%.o: %.c $(O)/autoconf.h
	$(if $(V),,@echo "  CC    $(BOARD) $<")
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -c -o $@ $<

$(LIB): $(LIB_OBJ)
	$(Q)mkdir -p $(@D)
	$(Q)rm -f $@
	$(Q)$(AR) rcsD $@ $^

$(O)/obj/mgmt/%.o: %.c $(O)/autoconf.h $(PORT_KEYS)
	$(if $(V),,@echo "  CC    $(BOARD) $<")
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(PORT_CPPFLAGS) $(CFLAGS) -c -o $@ $<

$(O)/sbin/mgmtd: $(MGMT_OBJ) $(PORT_LIBS)
	$(if $(V),,@echo "  LD    $(BOARD) mgmtd")
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(filter-out -pie,$(LDFLAGS)) -static-pie -Wl,--gc-sections \
		-o $@ $(MGMT_OBJ) \
		$(PORT_LIBS)
-include $(MGMT_OBJ:.o=.d)

define DAEMON
OBJ_$(1) := $$(patsubst %.c,$(O)/obj/%.o,$$(wildcard firmware/$(1)/*.c))
$(O)/sbin/$(1): $$(OBJ_$(1)) $(LIB)
	$$(if $$(V),,@echo "  LD    $(BOARD) $(1)")
	$$(Q)mkdir -p $$(@D)
	$$(Q)$$(CC) $$(CFLAGS) $$(LDFLAGS) -o $$@ $$^ $$(LIBS_$(1)) $$(LIB_LIBS)
-include $$(OBJ_$(1):.o=.d)
endef
$(foreach d,$(filter-out mgmtd,$(DAEMONS)),$(eval $(call DAEMON,$(d))))
-include $(LIB_OBJ:.o=.d)
