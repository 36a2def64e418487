# Configuration (Kconfig) and static checks.

KCONFIG_FILES := Kconfig $(wildcard */Kconfig)
KCONFIG := toolchain/kconfig/kconfig.py
KCONFIG_RUN = python3 $(KCONFIG) --out $(O) --board $(BOARD) --profile $(PROFILE)

# One run makes .config, autoconf.h and config.mk; files that would not change
# keep their time, so only what really depends on a new value is rebuilt.
$(O)/.kconfig: $(KCONFIG_FILES) board/$(BOARD)/defconfig $(KCONFIG) \
		$(wildcard $(O)/.config)
	$(Q)$(KCONFIG_RUN) sync
	$(Q)touch $@

$(O)/autoconf.h $(O)/config.mk: $(O)/.kconfig
	@:

# Another board's defconfig may be missing: kconfig.py says which boards exist.
board/$(BOARD)/defconfig:
	@$(KCONFIG_RUN) sync

.PHONY: menuconfig savedefconfig oldconfig kconfig-list
menuconfig savedefconfig:
	@$(KCONFIG_RUN) $@
	@touch $(O)/.kconfig

oldconfig:
	@$(KCONFIG_RUN) sync
	@touch $(O)/.kconfig

kconfig-list:
	@$(KCONFIG_RUN) list

%_defconfig:
	@python3 $(KCONFIG) --out out/$*$(VARIANT) --board $* --profile $(PROFILE) defconfig
	@touch out/$*$(VARIANT)/.kconfig

# The signing tool of the PC: always for the build host, whatever BOARD is.
# It is linked with the device's own parser, so it judges as the device does.
SIGN := out/host/tools/sign
.PHONY: sign
ifeq ($(O),out/host)
SIGN_SRC := $(wildcard toolchain/sign/*.c) $(wildcard firmware/policyd/cfg*.c) \
	firmware/policyd/net.c firmware/policyd/arena.c
SIGN_OBJ := $(SIGN_SRC:%.c=$(O)/obj/%.o)
$(SIGN): $(SIGN_OBJ) $(O)/lib/libluytre.a
	$(if $(V),,@echo "  LD    host sign")
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ -lgnutls -ljansson $(LIB_LIBS)
-include $(SIGN_OBJ:.o=.d)
sign: $(SIGN)
else
sign $(SIGN): force-sign
	@$(MAKE) --no-print-directory BOARD=host PROFILE=dev $(SIGN)
.PHONY: force-sign
force-sign:
endif

# Keys for tests and for development images: made once in this build tree,
# never part of the source.
$(TEST_KEYSET): | $(SIGN)
	@echo "  KEYS  out/keys (for tests and development only)"
	$(Q)rm -rf out/keys
	$(Q)LUYTRE_LANG=en $(SIGN) ceremony --out out/keys --plain >/dev/null
.PHONY: test-keys
test-keys: $(TEST_KEYSET)
