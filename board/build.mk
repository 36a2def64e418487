# Kernel and images of a board: `make image BOARD=... PROFILE=...`.
# The kernel is the same for both profiles and stays in out/BOARD/kernel.

KERNEL := out/$(BOARD)/kernel
IMAGE_TOOLS := toolchain/image

.PHONY: kernel image size
ifeq ($(BOARD),host)

# This board has neither kernel nor image of its own.
kernel:
	@echo "BOARD=host runs on the kernel of this machine: nothing to build"
image: firmware test-keys

size: firmware
	@$(IMAGE_TOOLS)/size --board $(BOARD) --out $(O)

else

kernel: $(KERNEL)/Image

# The script knows by itself whether anything has changed; the file keeps its
# time when not.
$(KERNEL)/Image: board-always
	@toolchain/kernel/build $(BOARD) $(KERNEL)
.PHONY: board-always
board-always:

# As a signed boot image will carry it.
$(KERNEL)/Image.gz: $(KERNEL)/Image
	$(Q)gzip -9 -n -c $< >$@.new && mv $@.new $@

NFT_SRC := firmware/port/nft/nft.c
$(O)/sbin/nft: $(NFT_SRC) $(O)/autoconf.h
	$(if $(V),,@echo "  LD    $(BOARD) nft")
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(filter-out -MMD -MP -fstack-usage,$(CFLAGS)) $(LDFLAGS) \
		-o $@ $(NFT_SRC) -l:libnftables.so.1

# Whom the image trusts. A release image needs the keyset of its province.
ifeq ($(PROFILE),dev)
KEYSET ?= $(TEST_KEYSET)
endif
$(O)/keyset: $(or $(KEYSET),no-keyset) board-always
	$(Q)mkdir -p $(@D)
	$(Q)cmp -s $(KEYSET) $@ || cp $(KEYSET) $@
.PHONY: no-keyset
no-keyset:
	@echo "A release image needs the keyset of its province, made with" >&2
	@echo "toolchain/sign/sign ceremony: make image PROFILE=release KEYSET=FILE" >&2
	@exit 1

IMAGE_PROGRAMS := $(sort $(shell sed -n 's/^prog.*[ ]out:\(.*\)$$/\1/p' \
	$(IMAGE_TOOLS)/files))
$(O)/root.squashfs: $(IMAGE_PROGRAMS:%=$(O)/sbin/%) $(IMAGE_TOOLS)/rootfs \
		$(IMAGE_TOOLS)/files $(IMAGE_TOOLS)/passwd $(IMAGE_TOOLS)/group \
		$(O)/keyset $(O)/sbin/web.pack
	@echo "  ROOT  $@"
	$(Q)$(IMAGE_TOOLS)/rootfs --out $(O) --profile $(PROFILE)

$(O)/disk.img: $(O)/root.squashfs $(IMAGE_TOOLS)/disk board/common/partitions \
		$(O)/config.mk
	@echo "  DISK  $@"
	$(Q)$(IMAGE_TOOLS)/disk --out $@ --size-mib $(CONFIG_DISK_MIB) \
		--root $(O)/root.squashfs

image: $(O)/disk.img $(KERNEL)/Image

size: image $(KERNEL)/Image.gz
	@$(IMAGE_TOOLS)/size --board $(BOARD) --out $(O)

endif
