# Unit tests, fuzz targets and the stages of tests/run that live in the build
# root. The test programs are amd64: they are built with BOARD=host.

T_OUT := out/tests$(VARIANT)
TEST_T := $(T)

.PHONY: check unit san fuzz mutants matrix
check:
	@tests/run-check
unit san fuzz mutants:
	@T="$(T)" tests/run $@
matrix:
	@tests/run matrix

# Preloaded into policyd by tests/netns: spoils chosen netlink messages.
out/tests/faultnl.so: tests/netns/faultnl.c
	$(Q)mkdir -p $(@D)
	$(Q)gcc $(filter-out -fPIE -MMD -MP -fstack-usage,$(CFLAGS)) -D_GNU_SOURCE -fPIC \
		-shared -o $@ $<

.PHONY: do-sign do-check do-selftest do-unit do-san do-golden do-matrix do-build do-fuzz do-mutants
do-check: $(O)/autoconf.h $(PORT_KEYS)
	@toolchain/check/check --cppflags "$(CPPFLAGS) -isystem $(O)/port/lwip/include" --warn "$(WARN)"

do-selftest: $(O)/autoconf.h
	@tests/selftest/run --cppflags "$(CPPFLAGS)" --warn "$(WARN)"

do-golden: $(T_OUT)/unit/policyd_dump $(O)/sbin/policyd
	@tests/golden/run

.PHONY: golden-update
golden-update: $(T_OUT)/unit/policyd_dump $(O)/sbin/policyd
	@tests/golden/run --update

do-sign: $(SIGN) $(TEST_KEYSET)
	@tests/sign/run $(T)

do-matrix:
	@toolchain/check/matrix $(STAGES)

do-build:
	@tests/run-build

# Programs linked with firmware objects. A flavour is a set of flags.
#   $(1) unit or san   $(2) compiler   $(3) flags
# NAME of test_NAME decides which daemon's objects are linked; the file of a
# daemon that defines main() is left out.
UNIT_SRC := $(wildcard tests/unit/test_$(or $(TEST_T:test_%=%),*).c)
main_of = $(shell grep -l '^int main' firmware/$(1)/*.c 2>/dev/null)
# "http" is the part of mgmtd that knows bytes only: no network, no TLS.
HTTP_SRC := $(foreach w,account api http json session,$(wildcard firmware/mgmtd/$(w)*.c))
daemon_src = $(if $(filter http,$(1)),$(HTTP_SRC),\
	$(filter-out $(call main_of,$(1)),$(wildcard firmware/$(1)/*.c)))
# Daemons whose name is a test's first word: test_policyd_compile -> policyd.
daemon_of = $(filter $(firstword $(subst _, ,$(1))),$(DAEMONS) http)
link_words = $(shell sed -n 's,^.*[* ]link: *\([^*]*\).*$$,\1,p' $(1))

UNIT_FLAGS := $(CFLAGS)
SAN_FLAGS := -std=gnu11 -O1 -g $(WARN) -fno-omit-frame-pointer -MMD -MP \
	-fsanitize=address,undefined -fno-sanitize-recover=all
# libFuzzer is clang's; gcc's own warnings are unknown to it.
FUZZ_FLAGS := -std=gnu11 -O1 -g -fno-omit-frame-pointer -MMD -MP \
	-fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all \
	$(filter-out -Wduplicated-cond -Wlogical-op,$(WARN))

FUZZ_LINK := clang -fsanitize=fuzzer,address,undefined

define FLAVOUR
$(T_OUT)/$(1)/%.o: %.c $(O)/autoconf.h
	$$(if $(V),,@echo "  CC    $(1) $$<")
	$(Q)mkdir -p $$(@D)
	$(Q)$(2) $(CPPFLAGS) -Itests/unit $(3) -c -o $$@ $$<
# With lwIP and mbedTLS of the management plane.
$(T_OUT)/$(1)/mgmt/%.o: %.c $(O)/autoconf.h $(PORT_KEYS)
	$$(if $(V),,@echo "  CC    $(1) $$<")
	$(Q)mkdir -p $$(@D)
	$(Q)$(2) $(CPPFLAGS) $(PORT_CPPFLAGS) -Itests/unit $(3) -c -o $$@ $$<
endef
$(eval $(call FLAVOUR,unit,gcc,$(UNIT_FLAGS)))
$(eval $(call FLAVOUR,san,gcc,$(SAN_FLAGS)))
$(eval $(call FLAVOUR,fuzz,clang,$(FUZZ_FLAGS)))

# $(1) flavour  $(2) source of the program  $(3) link command
define PROGRAM
$(eval name := $(patsubst test_%,%,$(patsubst fuzz_%,%,$(basename $(notdir $(2))))))
$(eval daemon := $(call daemon_of,$(name)))
$(eval objs := $(if $(filter mgmtd,$(daemon)),\
	$(patsubst %.c,$(T_OUT)/$(1)/mgmt/%.o,$(2) \
		$(filter-out $(call main_of,mgmtd),$(MGMT_SRC))),\
	$(patsubst %.c,$(T_OUT)/$(1)/%.o,$(2) $(LIB_SRC) \
		$(if $(daemon),$(call daemon_src,$(daemon))))))
$(eval bin := $(T_OUT)/$(1)/$(basename $(notdir $(2))))
$(eval words := $(call link_words,$(2)))
$(bin): $(objs) tests/build.mk $(if $(filter mgmtd,$(daemon)),$(PORT_LIBS))
	$$(if $(V),,@echo "  LD    $(1) $(notdir $(bin))")
	$(Q)$(3) -o $$@ $(objs) $(words) $(LIBS_$(daemon)) $(if $(filter mgmtd,$(daemon)),,$(LIB_LIBS)) -lcmocka
-include $(objs:.o=.d)
endef

UNIT_BIN := $(UNIT_SRC:tests/unit/%.c=$(T_OUT)/unit/%)
SAN_BIN := $(UNIT_SRC:tests/unit/%.c=$(T_OUT)/san/%)
FUZZ_SRC := $(wildcard tests/fuzz/fuzz_$(or $(TEST_T:fuzz_%=%),*).c)
FUZZ_BIN := $(FUZZ_SRC:tests/fuzz/%.c=$(T_OUT)/fuzz/%)

GOLDEN_SRC := tests/golden/policyd_dump.c
BENCH_SRC := tests/bench/policyd_load.c
# The web server over plain TCP, for browsers and tests/http/run.
HTTP_SERVE := $(T_OUT)/unit/http_serve
TEST_GOALS := $(filter do-unit do-san do-http do-browser do-golden golden-update do-fuzz do-mutants $(T_OUT)/%,$(MAKECMDGOALS))
ifneq ($(TEST_GOALS),)
$(foreach s,$(UNIT_SRC),$(eval $(call PROGRAM,unit,$(s),gcc $(UNIT_FLAGS) $(LDFLAGS))) \
	$(eval $(call PROGRAM,san,$(s),gcc $(SAN_FLAGS))))
$(eval $(call PROGRAM,unit,$(GOLDEN_SRC),gcc $(UNIT_FLAGS) $(LDFLAGS)))
$(eval $(call PROGRAM,unit,$(BENCH_SRC),gcc $(UNIT_FLAGS) $(LDFLAGS)))
$(eval $(call PROGRAM,unit,tests/http/http_serve.c,gcc $(UNIT_FLAGS) $(LDFLAGS)))
$(foreach s,$(FUZZ_SRC),$(eval $(call PROGRAM,fuzz,$(s),$(FUZZ_LINK))))
endif

# Sends packets and measures itself; needs nothing of the firmware.
$(T_OUT)/bench/flood: tests/bench/flood.c $(O)/autoconf.h
	$(Q)mkdir -p $(@D)
	$(Q)gcc $(CPPFLAGS) $(filter-out -MMD -MP -fstack-usage,$(CFLAGS)) $(LDFLAGS) -o $@ $<

do-unit: $(UNIT_BIN)
	@tests/unit/run unit $(UNIT_BIN)

do-san: $(SAN_BIN)
	@tests/unit/run san $(SAN_BIN)

do-fuzz: $(FUZZ_BIN)
	@tests/fuzz/run $(FUZZ_BIN)

do-mutants:
	@tests/fuzz/run-mutants $(FUZZ_SRC)

# The web interface in Chromium; policyd and sign judge what its editor makes.
.PHONY: do-http
do-http: $(HTTP_SERVE)
	@tests/http/run

.PHONY: do-browser browser
do-browser: $(SIGN) $(TEST_KEYSET) $(O)/sbin/policyd $(HTTP_SERVE)
	@tests/browser/run $(T)
browser:
	@T="$(T)" tests/run browser
