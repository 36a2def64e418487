# Lũy Tre: firmware, tools and tests. `make help` lists what there is to make.
#
# On the host this file only enters the build root (toolchain/env) and starts
# itself again there; the real rules live in the build.mk files below.
#: Main targets:
#:   make run [ONCE=1]      build, start the lab, show the appliance at work
#:   make test              all tests; make check: those without root
#:   make image             kernel, root file system, disk; make size: what they weigh
#:   make lab | lab-down    the small province to try things in; lab-status
#: Parts:
#:   make firmware          the daemons
#:   make sign              the signing tool (toolchain/sign/sign --help)
#:   make kernel            the kernel, cached by its inputs
#:   make unit san fuzz mutants golden-update    tests in the build root (T=NAME: one)
#:   make browser            the web interface in Chromium (T=NAME: one)
#:   make test-netns test-qemu                   tests with packets (T="NAME ...")
#:   make bench-rules [ROUNDS=N]                 cost of a packet, 10 to 2,000 rules
#:   make test-leak         1,000 exchanges of the policy under load (1 minute)
#:   make menuconfig savedefconfig NAME_defconfig    build options of a board
#:   make env env-refresh   make the build root; look for newer packages
#:   make clean             delete out/
#: Variables:
#:   BOARD=qemu-arm64 (default) or host    PROFILE=dev (default) or release
#:   KEYSET=FILE  keyset 1 of the province, for `make image` (dev: test keys)
#:   LAB=N  number of the lab    CONFIG=FILE  its configuration    V=1  show commands
BOARD ?= qemu-arm64
LAB ?= 0
PROFILE ?= dev
export BOARD LAB PROFILE V ONCE CI

INSIDE := $(LUYTRE_INSIDE)
.DEFAULT_GOAL := help

# Targets that need real network namespaces and the host's view of them.
LAB_GOALS := lab lab-down run test-netns test-qemu test-leak test bench lab-shell

ifeq ($(INSIDE),)
#
# Host side.
#
ENTER := toolchain/env/enter
PASS = BOARD=$(BOARD) LAB=$(LAB) PROFILE=$(PROFILE) $(if $(ONCE),ONCE=$(ONCE)) $(if $(T),T=$(T)) $(if $(KEYSET),KEYSET=$(KEYSET)) $(MAKEOVERRIDES_PASS)

.PHONY: help env env-refresh clean distclean
help:
	@sed -n 's/^#: //p' Makefile

env:
	@toolchain/env/mkroot >/dev/null

env-refresh:
	@toolchain/env/mkroot --refresh >/dev/null

clean:
	rm -rf out

# The lab and everything that uses it is driven from the host side by
# tests/lab/lab, which enters the build root as often as it needs to.
include tests/host.mk

%: force
	@$(ENTER) make --no-print-directory -j$$(nproc) $(PASS) $@
Makefile: ;
tests/host.mk: ;
.PHONY: force
force: ;

else
#
# Build root side.
#
MAKEFLAGS += --no-builtin-rules --no-builtin-variables
VARIANT := $(if $(filter-out dev,$(PROFILE)),-$(PROFILE))
override O := out/$(BOARD)$(VARIANT)
# Keys of this build tree, for tests and development images.
TEST_KEYSET := out/keys/keyset-1
# Every Kconfig option as a variable (toolchain/kconfig makes the file).
include $(O)/config.mk
include $(wildcard firmware/build.mk board/build.mk toolchain/build.mk tests/build.mk)
endif
