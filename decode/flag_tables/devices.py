# SPDX-License-Identifier: Apache-2.0
"""Arguments of ioctl's commands, by device and file system. The commands themselves: `generate_ioctls`."""

from __future__ import annotations

from flag_tables import Table

# include/linux/ata.h, which is not for user space.
_ATA = (
    "ATA_CMD_DEV_RESET=0x08 ATA_CMD_PIO_READ=0x20 ATA_CMD_READ_LONG=0x22 ATA_CMD_READ_LONG_ONCE=0x23 "
    "ATA_CMD_PIO_READ_EXT=0x24 ATA_CMD_READ_EXT=0x25 ATA_CMD_READ_NATIVE_MAX_EXT=0x27 ATA_CMD_READ_MULTI_EXT=0x29 "
    "ATA_CMD_READ_LOG_EXT=0x2f ATA_CMD_PIO_WRITE=0x30 ATA_CMD_WRITE_LONG=0x32 ATA_CMD_WRITE_LONG_ONCE=0x33 "
    "ATA_CMD_PIO_WRITE_EXT=0x34 ATA_CMD_WRITE_EXT=0x35 ATA_CMD_SET_MAX_EXT=0x37 ATA_CMD_WRITE_MULTI_EXT=0x39 "
    "ATA_CMD_WRITE_FUA_EXT=0x3d ATA_CMD_VERIFY=0x40 ATA_CMD_VERIFY_EXT=0x42 ATA_CMD_FPDMA_READ=0x60 "
    "ATA_CMD_FPDMA_WRITE=0x61 ATA_CMD_EDD=0x90 ATA_CMD_INIT_DEV_PARAMS=0x91 ATA_CMD_PACKET=0xa0 ATA_CMD_ID_ATAPI=0xa1 "
    "ATA_CMD_READ_MULTI=0xc4 ATA_CMD_WRITE_MULTI=0xc5 ATA_CMD_SET_MULTI=0xc6 ATA_CMD_READ=0xc8 ATA_CMD_WRITE=0xca "
    "ATA_CMD_WRITE_MULTI_FUA_EXT=0xce ATA_CMD_STANDBYNOW1=0xe0 ATA_CMD_IDLEIMMEDIATE=0xe1 ATA_CMD_STANDBY=0xe2 "
    "ATA_CMD_IDLE=0xe3 ATA_CMD_PMP_READ=0xe4 ATA_CMD_CHK_POWER=0xe5 ATA_CMD_SLEEP=0xe6 ATA_CMD_FLUSH=0xe7 "
    "ATA_CMD_PMP_WRITE=0xe8 ATA_CMD_FLUSH_EXT=0xea ATA_CMD_ID_ATA=0xec ATA_CMD_SET_FEATURES=0xef "
    "ATA_CMD_READ_NATIVE_MAX=0xf8 ATA_CMD_SET_MAX=0xf9"
)

TABLES = {
    "ata_commands": Table("ATA_CMD_???", "linux/hdreg.h", _ATA),
    "ide_nice": Table(
        "IDE_NICE_???",
        "linux/hdreg.h",
        "IDE_NICE_DSC_OVERLAP IDE_NICE_ATAPI_OVERLAP IDE_NICE_1 IDE_NICE_0 IDE_NICE_2",
        bit="1 << ",
    ),
    "busstates": Table("BUSSTATE_???", "linux/hdreg.h", match=r"BUSSTATE_\w+"),
    "fiemap_flags": Table("FIEMAP_FLAG_???", "linux/fiemap.h", "FIEMAP_FLAG_SYNC FIEMAP_FLAG_XATTR FIEMAP_FLAG_CACHE"),
    "partition_operations": Table("BLKPG_???", "linux/blkpg.h", match=r"BLKPG_\w+_PARTITION"),
    "loop_flags": Table("LO_FLAGS_???", "linux/loop.h", match=r"LO_FLAGS_\w+"),
    "loop_ciphers": Table("LO_CRYPT_???", "linux/loop.h", match=r"LO_CRYPT_\w+", without="LO_CRYPT_MAX"),
    "nbd_flags": Table("NBD_IOC_FLAG_???", "linux/nbd.h", match=r"NBD_FLAG_\w+"),
    "scsi_resets": Table(
        "SG_SCSI_RESET_???", "scsi/sg.h", "SG_SCSI_RESET_NO_ESCALATE=0x100", match=r"SG_SCSI_RESET_\w+"
    ),
    "mtd_otp": Table("MTD_OTP_???", "mtd/mtd-abi.h", match=r"MTD_OTP_\w+"),
    "mtd_modes": Table("MTD_OPS_???", "mtd/mtd-abi.h", match=r"MTD_OPS_\w+"),
    "mtd_file_modes": Table("MTD_FILE_MODE_???", "mtd/mtd-abi.h", match=r"MTD_FILE_MODE_\w+"),
    "mtd_types": Table(
        "MTD_???",
        "mtd/mtd-abi.h",
        "MTD_ABSENT MTD_RAM MTD_ROM MTD_NORFLASH MTD_NANDFLASH MTD_DATAFLASH MTD_UBIVOLUME MTD_MLCNANDFLASH",
    ),
    "mtd_flags": Table(
        "MTD_???",
        "mtd/mtd-abi.h",
        "MTD_WRITEABLE MTD_BIT_WRITEABLE MTD_NO_ERASE MTD_POWERUP_LOCK MTD_SLC_ON_MLC_EMULATION",
    ),
    "rtc_voltage": Table("RTC_VL_???", "linux/rtc.h", match=r"RTC_VL_\w+", without="RTC_VL_(READ|CLR)"),
    "rtc_parameters": Table("RTC_PARAM_???", "linux/rtc.h", match=r"RTC_PARAM_\w+", without="RTC_PARAM_(GET|SET)"),
    "rtc_features": Table(
        "1<<RTC_FEATURE_???", "linux/rtc.h", match=r"RTC_FEATURE_\w+", without="RTC_FEATURE_CNT", bit="1<<"
    ),
    "rtc_switch_modes": Table("RTC_BSM_???", "linux/rtc.h", match=r"RTC_BSM_\w+"),
    "ptp_pins": Table("PTP_PF_???", "linux/ptp_clock.h", enum="ptp_pin_function"),
    "ptp_timestamps": Table(
        "PTP_???", "linux/ptp_clock.h", "PTP_ENABLE_FEATURE PTP_RISING_EDGE PTP_FALLING_EDGE PTP_STRICT_FLAGS"
    ),
    "ptp_outputs": Table(
        "PTP_PEROUT_???", "linux/ptp_clock.h", "PTP_PEROUT_ONE_SHOT PTP_PEROUT_DUTY_CYCLE PTP_PEROUT_PHASE"
    ),
    "input_events": Table("EV_???", "linux/input-event-codes.h", match=r"EV_\w+", without="EV_(VERSION|MAX|CNT)"),
    "input_axes": Table("ABS_???", "linux/input-event-codes.h", match=r"ABS_\w+", without="ABS_(MAX|CNT)"),
    "input_keys": Table(
        "KEY_???", "linux/input-event-codes.h", match=r"(KEY|BTN)_\w+", without="KEY_(MAX|CNT|MIN_INTERESTING)"
    ),
    "input_effects": Table(
        "FF_???",
        "linux/input.h",
        "FF_RUMBLE FF_PERIODIC FF_CONSTANT FF_SPRING FF_FRICTION FF_DAMPER FF_INERTIA FF_RAMP FF_SQUARE FF_TRIANGLE "
        "FF_SINE FF_SAW_UP FF_SAW_DOWN FF_CUSTOM FF_GAIN FF_AUTOCENTER",
    ),
    "gpio_line_flags": Table("GPIOLINE_FLAG_???", "linux/gpio.h", match=r"GPIOLINE_FLAG_\w+"),
    "gpio_handle_flags": Table("GPIOHANDLE_REQUEST_???", "linux/gpio.h", match=r"GPIOHANDLE_REQUEST_\w+"),
    "gpio_event_flags": Table(
        "GPIOEVENT_REQUEST_???", "linux/gpio.h", "GPIOEVENT_REQUEST_BOTH_EDGES", match=r"GPIOEVENT_REQUEST_\w+"
    ),
    "gpio_line_flags_v2": Table("GPIO_V2_LINE_FLAG_???", "linux/gpio.h", match=r"GPIO_V2_LINE_FLAG_\w+"),
    "perf_ioctl_flags": Table("PERF_IOC_FLAG_???", "linux/perf_event.h", match=r"PERF_IOC_FLAG_\w+"),
    "seccomp_answers": Table("SECCOMP_USER_NOTIF_FLAG_???", "linux/seccomp.h", match=r"SECCOMP_USER_NOTIF_FLAG_\w+"),
    "seccomp_added": Table("SECCOMP_ADDFD_FLAG_???", "linux/seccomp.h", match=r"SECCOMP_ADDFD_FLAG_\w+"),
    "uffd_features": Table("UFFD_FEATURE_???", "linux/userfaultfd.h", match=r"UFFD_FEATURE_\w+"),
    "uffd_registers": Table("UFFDIO_REGISTER_MODE_???", "linux/userfaultfd.h", match=r"UFFDIO_REGISTER_MODE_\w+"),
    "uffd_copies": Table("UFFDIO_COPY_???", "linux/userfaultfd.h", match=r"UFFDIO_COPY_MODE_\w+"),
    "uffd_zeros": Table("UFFDIO_ZEROPAGE_???", "linux/userfaultfd.h", match=r"UFFDIO_ZEROPAGE_MODE_\w+"),
    "uffd_range_commands": Table(
        "UFFDIO_???",
        "linux/userfaultfd.h",
        "_UFFDIO_WAKE _UFFDIO_COPY _UFFDIO_ZEROPAGE _UFFDIO_WRITEPROTECT _UFFDIO_CONTINUE",
        bit="1<<",
    ),
    "uffd_commands": Table(
        "_UFFDIO_???", "linux/userfaultfd.h", "_UFFDIO_REGISTER _UFFDIO_UNREGISTER _UFFDIO_API", bit="1<<"
    ),
    "mapper_flags": Table(
        "DM_???", "linux/dm-ioctl.h", "DM_EXISTS_FLAG=0x4 DM_DEFERRED_REMOVE", match=r"DM_\w+_FLAG", sort=True
    ),
    "btrfs_keys": Table(
        "BTRFS_???_KEY",
        "linux/btrfs_tree.h",
        match=r"BTRFS_\w+_KEY|BTRFS_UUID_KEY_\w+",
        without="BTRFS_(BALANCE_ITEM|DEV_STATS)_KEY",
    ),
    "btrfs_subvolume_flags": Table(
        "BTRFS_SUBVOL_???",
        "linux/btrfs.h",
        "BTRFS_SUBVOL_CREATE_ASYNC=0x1 BTRFS_SUBVOL_RDONLY BTRFS_SUBVOL_QGROUP_INHERIT",
    ),
    "btrfs_balance_commands": Table(
        "BTRFS_BALANCE_CTL_???", "linux/btrfs.h", "BTRFS_BALANCE_CTL_PAUSE BTRFS_BALANCE_CTL_CANCEL"
    ),
    "btrfs_defrag_flags": Table(
        "BTRFS_DEFRAG_RANGE_???", "linux/btrfs.h", "BTRFS_DEFRAG_RANGE_COMPRESS BTRFS_DEFRAG_RANGE_START_IO"
    ),
    "btrfs_compressions": Table(
        "BTRFS_COMPRESS_???",
        "linux/btrfs.h",
        "BTRFS_COMPRESS_NONE=0 BTRFS_COMPRESS_ZLIB=1 BTRFS_COMPRESS_LZO=2 BTRFS_COMPRESS_ZSTD=3",
    ),
    "btrfs_send_flags": Table("BTRFS_SEND_FLAG_???", "linux/btrfs.h", match=r"BTRFS_SEND_FLAG_\w+"),
    "btrfs_balance_flags": Table(
        "BTRFS_BALANCE_???",
        "linux/btrfs.h",
        "BTRFS_BALANCE_DATA BTRFS_BALANCE_SYSTEM BTRFS_BALANCE_METADATA BTRFS_BALANCE_FORCE BTRFS_BALANCE_RESUME",
    ),
    "btrfs_balance_arguments": Table(
        "BTRFS_BALANCE_ARGS_???", "linux/btrfs.h", match=r"BTRFS_BALANCE_ARGS_\w+", without="BTRFS_BALANCE_ARGS_MASK"
    ),
    "btrfs_groups": Table(
        "BTRFS_BLOCK_GROUP_???",
        "linux/btrfs_tree.h",
        "BTRFS_BLOCK_GROUP_DATA BTRFS_BLOCK_GROUP_SYSTEM BTRFS_BLOCK_GROUP_METADATA BTRFS_BLOCK_GROUP_RAID0 "
        "BTRFS_BLOCK_GROUP_RAID1 BTRFS_BLOCK_GROUP_DUP BTRFS_BLOCK_GROUP_RAID10 BTRFS_BLOCK_GROUP_RAID5 "
        "BTRFS_BLOCK_GROUP_RAID6 BTRFS_AVAIL_ALLOC_BIT_SINGLE",
    ),
    "btrfs_scrub_flags": Table("BTRFS_SCRUB_???", "linux/btrfs.h", "BTRFS_SCRUB_READONLY"),
    "btrfs_info_flags": Table("BTRFS_FS_INFO_FLAG_???", "linux/btrfs.h", match=r"BTRFS_FS_INFO_FLAG_\w+"),
    "btrfs_checksums": Table("BTRFS_CSUM_TYPE_???", "linux/btrfs_tree.h", match=r"BTRFS_CSUM_TYPE_\w+"),
    "btrfs_statistics_flags": Table("BTRFS_DEV_STATS_???", "linux/btrfs.h", "BTRFS_DEV_STATS_RESET"),
    "btrfs_quota_commands": Table(
        "BTRFS_QUOTA_CTL_???",
        "linux/btrfs.h",
        "BTRFS_QUOTA_CTL_ENABLE BTRFS_QUOTA_CTL_DISABLE BTRFS_QUOTA_CTL_RESCAN__NOTUSED",
    ),
    "btrfs_objects": Table(
        "BTRFS_???_OBJECTID",
        "linux/btrfs_tree.h",
        "BTRFS_ROOT_TREE_OBJECTID BTRFS_EXTENT_TREE_OBJECTID BTRFS_CHUNK_TREE_OBJECTID BTRFS_DEV_TREE_OBJECTID "
        "BTRFS_FS_TREE_OBJECTID BTRFS_ROOT_TREE_DIR_OBJECTID BTRFS_CSUM_TREE_OBJECTID BTRFS_QUOTA_TREE_OBJECTID "
        "BTRFS_UUID_TREE_OBJECTID BTRFS_FREE_SPACE_TREE_OBJECTID BTRFS_BLOCK_GROUP_TREE_OBJECTID "
        "BTRFS_FIRST_FREE_OBJECTID",
    ),
}
