# Lũy Tre: firmware, tools and tests. `make help` lists what there is to make.
#
# On the host this file only enters the build root (toolchain/env) and starts
# itself again there; the real rules live in the build.mk files below.
BOARD ?= qemu-arm64
LAB ?= 0
PROFILE ?= dev
export BOARD LAB PROFILE V ONCE CI

INSIDE := $(LUYTRE_INSIDE)
.DEFAULT_GOAL := help

# Targets that need real network namespaces and the host's view of them.
LAB_GOALS := lab lab-down run test-netns test-qemu test bench lab-shell

ifeq ($(INSIDE),)
#
# Host side.
#
ENTER := toolchain/env/enter
PASS = BOARD=$(BOARD) LAB=$(LAB) PROFILE=$(PROFILE) $(if $(ONCE),ONCE=$(ONCE)) $(if $(T),T=$(T)) $(MAKEOVERRIDES_PASS)

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
# Every Kconfig option as a variable (toolchain/kconfig makes the file).
include $(O)/config.mk
include $(wildcard firmware/build.mk board/build.mk toolchain/build.mk tests/build.mk)
endif
