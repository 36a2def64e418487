# Host side targets: everything that needs the host's network namespaces.
# `make` includes this file outside the build root; the programs behind the
# targets enter it themselves as often as they need to.
#
#   BOARD=host|qemu-arm64  LAB=N  ONCE=1 (run: exit after the demonstration)
#   CONFIG=FILE (lab: another configuration)  T=NAME (test-netns: one test)

LAB_PROGRAM := tests/lab/lab
LAB_ARGS = --board $(BOARD) --lab $(LAB)
# What a lab needs to be built first.
ifeq ($(BOARD),host)
LAB_GOAL := firmware test-keys
else
LAB_GOAL := image
endif

.PHONY: test
test:
	@tests/run-host

.PHONY: lab lab-down lab-status run lab-build netns-build test-netns test-qemu test-leak
lab-build:
	@echo "[run] building what is missing for BOARD=$(BOARD)"
	@$(ENTER) make --no-print-directory -j$$(nproc) $(PASS) $(LAB_GOAL)

lab: lab-build
	@$(LAB_PROGRAM) up $(LAB_ARGS) $(if $(CONFIG),--config $(CONFIG))

lab-down:
	@$(LAB_PROGRAM) down --lab $(LAB)

lab-status:
	@$(LAB_PROGRAM) status --lab $(LAB)

run: lab-build
	@$(LAB_PROGRAM) run $(LAB_ARGS) $(if $(ONCE),--once)

# The namespace tests run on the daemons of board host, the short form on QEMU.
netns-build:
	@$(ENTER) make --no-print-directory -j$$(nproc) BOARD=host firmware test-keys out/tests/faultnl.so

test-netns: netns-build
	@tests/netns/run --board host $(T)

# Costs of a packet under policies of 10, 200 and 2,000 rules; about 2 minutes.
.PHONY: bench-rules
bench-rules:
	@$(ENTER) make --no-print-directory -j$$(nproc) BOARD=host out/tests/bench/flood \
		out/tests/unit/policyd_load
	@tests/bench/run $(if $(ROUNDS),--rounds $(ROUNDS))

# The long form of one test: 1,000 exchanges of the policy under load (FC-04).
test-leak: netns-build
	@tests/netns/run --board host --applies 1000 leak.

test-qemu:
	@$(ENTER) make --no-print-directory -j$$(nproc) BOARD=qemu-arm64 image
	@$(ENTER) make --no-print-directory -j$$(nproc) BOARD=qemu-arm64 PROFILE=release \
		KEYSET=out/keys/keyset-1 image
	@tests/qemu/run $(T); boot=$$?; \
		tests/netns/run --board qemu-arm64 --short $(T) || exit 1; exit $$boot
