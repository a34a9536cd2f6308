# SPDX-License-Identifier: Apache-2.0
"""ioctl's commands by device and file system; those of terminals and sockets are in `network`."""

from __future__ import annotations

TABLE = """
# IDE disks
ioctl:HDIO_GETGEO   fd ioctl_command out:hd_geometry
ioctl:HDIO_DRIVE_CMD fd ioctl_command inout:hd_drive_cmd
ioctl:HDIO_DRIVE_RESET fd ioctl_command inout:three_ints
ioctl:HDIO_SCAN_HWIF fd ioctl_command in:three_ints
ioctl:HDIO_GET_32BIT,HDIO_GET_ACOUSTIC fd ioctl_command out:ioctl_long
ioctl:HDIO_GET_ADDRESS,HDIO_GET_DMA,HDIO_GET_KEEPSETTINGS fd ioctl_command out:ioctl_long
ioctl:HDIO_GET_MULTCOUNT,HDIO_GET_NOWERR,HDIO_GET_UNMASKINTR,HDIO_GET_WCACHE fd ioctl_command out:ioctl_long
ioctl:HDIO_GET_BUSSTATE fd ioctl_command out:boxed_busstate
ioctl:HDIO_GET_NICE fd ioctl_command out:boxed_ide_nice
ioctl:HDIO_GET_IDENTITY fd ioctl_command out:bytes[512]
ioctl:HDIO_OBSOLETE_IDENTITY fd ioctl_command out:bytes[142]
ioctl:HDIO_SET_32BIT,HDIO_SET_ACOUSTIC fd ioctl_command ulong
ioctl:HDIO_SET_ADDRESS,HDIO_SET_DMA,HDIO_SET_KEEPSETTINGS fd ioctl_command ulong
ioctl:HDIO_SET_MULTCOUNT,HDIO_SET_NOWERR fd ioctl_command ulong
ioctl:HDIO_SET_PIO_MODE,HDIO_SET_UNMASKINTR,HDIO_SET_WCACHE fd ioctl_command ulong
ioctl:HDIO_UNREGISTER_HWIF fd ioctl_command ulong
ioctl:HDIO_SET_NICE fd ioctl_command ide_nice64
ioctl:HDIO_SET_BUSSTATE fd ioctl_command busstate64

# file systems
ioctl:FS_IOC_GETFLAGS,FS_IOC32_GETFLAGS fd ioctl_command out:inode_flags_word
ioctl:FS_IOC_SETFLAGS,FS_IOC32_SETFLAGS fd ioctl_command in:inode_flags_word
ioctl:FS_IOC_FIEMAP fd ioctl_command inout:fiemap
ioctl:FS_IOC_FSGETXATTR fd ioctl_command out:fsxattr
ioctl:FS_IOC_FSSETXATTR fd ioctl_command in:fsxattr_set
ioctl:FS_IOC_GETFSLABEL fd ioctl_command out:fs_label
ioctl:FS_IOC_SETFSLABEL fd ioctl_command in:fs_label
ioctl:FICLONERANGE  fd ioctl_command in:clone_range
ioctl:FITRIM        fd ioctl_command in:fstrim_range

# disks and what is made of them
ioctl:BLKRASET,BLKFRASET fd ioctl_command ulong
ioctl:BLKSECTGET,BLKROTATIONAL fd ioctl_command out:ioctl_ushort
ioctl:BLKDISCARDZEROES,BLKGETZONESZ,BLKGETNRZONES fd ioctl_command out:ioctl_uint
ioctl:BLKGETDISKSEQ fd ioctl_command out:ioctl_long
ioctl:BLKPG         fd ioctl_command in:blkpg>in:blkpg_partition@16
ioctl:BLKTRACESETUP fd ioctl_command inout:blk_trace
ioctl:LOOP_SET_DIRECT_IO,LOOP_SET_BLOCK_SIZE fd ioctl_command ulong
ioctl:LOOP_CTL_ADD,LOOP_CTL_REMOVE fd ioctl_command int
ioctl:LOOP_SET_STATUS fd ioctl_command in:loop_info
ioctl:LOOP_GET_STATUS fd ioctl_command out:loop_info
ioctl:LOOP_SET_STATUS64 fd ioctl_command in:loop_info64
ioctl:LOOP_GET_STATUS64 fd ioctl_command out:loop_info64
ioctl:LOOP_CONFIGURE fd ioctl_command in:loop_config
ioctl:NBD_SET_SOCK  fd ioctl_command fd
ioctl:NBD_SET_BLKSIZE,NBD_SET_SIZE,NBD_SET_SIZE_BLOCKS,NBD_SET_TIMEOUT fd ioctl_command ulong
ioctl:NBD_SET_FLAGS fd ioctl_command nbd_flags64
ioctl:SG_NEXT_CMD_LEN,SG_SET_COMMAND_Q fd ioctl_command in:ioctl_int
ioctl:SG_SET_DEBUG,SG_SET_FORCE_LOW_DMA,SG_SET_FORCE_PACK_ID fd ioctl_command in:ioctl_int
ioctl:SG_SET_KEEP_ORPHAN,SG_SET_RESERVED_SIZE,SG_SET_TIMEOUT fd ioctl_command in:ioctl_int
ioctl:SG_EMULATED_HOST,SG_GET_ACCESS_COUNT fd ioctl_command out:ioctl_int
ioctl:SG_GET_COMMAND_Q,SG_GET_KEEP_ORPHAN,SG_GET_LOW_DMA fd ioctl_command out:ioctl_int
ioctl:SG_GET_NUM_WAITING,SG_GET_PACK_ID fd ioctl_command out:ioctl_int
ioctl:SG_GET_RESERVED_SIZE,SG_GET_SG_TABLESIZE fd ioctl_command out:ioctl_int
ioctl:SG_GET_TRANSFORM,SG_GET_VERSION_NUM fd ioctl_command out:ioctl_int
ioctl:SG_SET_TRANSFORM fd ioctl_command hex32
ioctl:SG_GET_SCSI_ID,SG_GET_REQUEST_TABLE,SG_IO fd ioctl_command addr
ioctl:SG_SCSI_RESET fd ioctl_command in:boxed_sg_reset

ioctl:DM_VERSION,DM_REMOVE_ALL,DM_LIST_DEVICES,DM_DEV_CREATE fd ioctl_command inout:mapper
ioctl:DM_DEV_REMOVE,DM_DEV_RENAME,DM_DEV_SUSPEND,DM_DEV_STATUS fd ioctl_command inout:mapper
ioctl:DM_DEV_WAIT,DM_TABLE_LOAD,DM_TABLE_CLEAR,DM_TABLE_DEPS fd ioctl_command inout:mapper
ioctl:DM_TABLE_STATUS,DM_LIST_VERSIONS,DM_TARGET_MSG fd ioctl_command inout:mapper
ioctl:DM_DEV_SET_GEOMETRY,DM_DEV_ARM_POLL fd ioctl_command inout:mapper

# btrfs
ioctl:BTRFS_IOC_SNAP_CREATE,BTRFS_IOC_SUBVOL_CREATE,BTRFS_IOC_SNAP_DESTROY fd ioctl_command in:btrfs_volume
ioctl:BTRFS_IOC_RESIZE,BTRFS_IOC_SCAN_DEV,BTRFS_IOC_FORGET_DEV fd ioctl_command in:btrfs_volume
ioctl:BTRFS_IOC_ADD_DEV,BTRFS_IOC_RM_DEV fd ioctl_command in:btrfs_volume
ioctl:BTRFS_IOC_SNAP_CREATE_V2,BTRFS_IOC_SUBVOL_CREATE_V2 fd ioctl_command in:btrfs_subvolume
ioctl:BTRFS_IOC_DEFAULT_SUBVOL,BTRFS_IOC_WAIT_SYNC fd ioctl_command in:ioctl_long
ioctl:BTRFS_IOC_START_SYNC fd ioctl_command out:ioctl_long
ioctl:BTRFS_IOC_SUBVOL_SETFLAGS fd ioctl_command in:btrfs_subvolume_flags
ioctl:BTRFS_IOC_SUBVOL_GETFLAGS fd ioctl_command out:btrfs_subvolume_flags
ioctl:BTRFS_IOC_BALANCE_V2 fd ioctl_command in:btrfs_balance
ioctl:BTRFS_IOC_SEND fd ioctl_command in:btrfs_send
ioctl:BTRFS_IOC_GET_DEV_STATS fd ioctl_command in:btrfs_statistics
ioctl:BTRFS_IOC_INO_PATHS fd ioctl_command in:btrfs_paths
ioctl:BTRFS_IOC_BALANCE_CTL fd ioctl_command btrfs_balance_command64
ioctl:BTRFS_IOC_DEFRAG_RANGE fd ioctl_command in:btrfs_defrag
ioctl:BTRFS_IOC_TREE_SEARCH fd ioctl_command inout:btrfs_search
ioctl:BTRFS_IOC_TREE_SEARCH_V2 fd ioctl_command inout:btrfs_search_v2
ioctl:BTRFS_IOC_INO_LOOKUP fd ioctl_command inout:btrfs_lookup
ioctl:BTRFS_IOC_SPACE_INFO fd ioctl_command inout:btrfs_space
ioctl:BTRFS_IOC_SCRUB fd ioctl_command in:btrfs_scrub
ioctl:BTRFS_IOC_SCRUB_PROGRESS fd ioctl_command in:btrfs_scrubbed
ioctl:BTRFS_IOC_DEV_INFO fd ioctl_command inout:btrfs_device
ioctl:BTRFS_IOC_FS_INFO fd ioctl_command out:btrfs_info
ioctl:BTRFS_IOC_QUOTA_CTL fd ioctl_command in:btrfs_quota
ioctl:BTRFS_IOC_QGROUP_ASSIGN fd ioctl_command in:btrfs_group_member
ioctl:BTRFS_IOC_QGROUP_CREATE fd ioctl_command in:btrfs_group
ioctl:BTRFS_IOC_QUOTA_RESCAN fd ioctl_command in:btrfs_rescan

# flash memory
ioctl:MEMERASE,MEMLOCK,MEMUNLOCK,MEMISLOCKED fd ioctl_command in:erase_info
ioctl:MEMERASE64    fd ioctl_command in:erase_info64
ioctl:MEMWRITEOOB,MEMREADOOB fd ioctl_command in:mtd_oob
ioctl:MEMWRITEOOB64,MEMREADOOB64 fd ioctl_command in:mtd_oob64
ioctl:MEMWRITE      fd ioctl_command in:mtd_write
ioctl:OTPGETREGIONINFO fd ioctl_command out:otp_info
ioctl:OTPLOCK       fd ioctl_command in:otp_info
ioctl:OTPSELECT     fd ioctl_command in:boxed_otp
ioctl:MTDFILEMODE   fd ioctl_command mtd_file_mode64
ioctl:MEMGETBADBLOCK,MEMSETBADBLOCK fd ioctl_command in:ioctl_long
ioctl:MEMGETINFO    fd ioctl_command out:mtd_info
ioctl:MEMGETOOBSEL,ECCGETLAYOUT fd ioctl_command addr
ioctl:ECCGETSTATS   fd ioctl_command out:mtd_ecc
ioctl:OTPGETREGIONCOUNT,MEMGETREGIONCOUNT fd ioctl_command out:ioctl_int
ioctl:MEMGETREGIONINFO fd ioctl_command inout:mtd_region

# clocks
ioctl:RTC_ALM_READ,RTC_RD_TIME fd ioctl_command out:rtc_time
ioctl:RTC_ALM_SET,RTC_SET_TIME fd ioctl_command in:rtc_time
ioctl:RTC_IRQP_SET,RTC_EPOCH_SET fd ioctl_command ulong
ioctl:RTC_IRQP_READ,RTC_EPOCH_READ fd ioctl_command out:ioctl_long
ioctl:RTC_WKALM_RD  fd ioctl_command out:rtc_alarm
ioctl:RTC_WKALM_SET fd ioctl_command in:rtc_alarm
ioctl:RTC_PLL_GET   fd ioctl_command out:rtc_pll
ioctl:RTC_PLL_SET   fd ioctl_command in:rtc_pll
ioctl:RTC_VL_READ   fd ioctl_command out:boxed_rtc_voltage
ioctl:RTC_PARAM_GET fd ioctl_command inout:rtc_param
ioctl:RTC_PARAM_SET fd ioctl_command in:rtc_param
ioctl:PTP_CLOCK_GETCAPS,PTP_CLOCK_GETCAPS2 fd ioctl_command out:ptp_caps
ioctl:PTP_EXTTS_REQUEST fd ioctl_command in:ptp_extts
ioctl:PTP_EXTTS_REQUEST2 fd ioctl_command in:ptp_extts2
ioctl:PTP_PEROUT_REQUEST,PTP_PEROUT_REQUEST2 fd ioctl_command in:ptp_perout
ioctl:PTP_ENABLE_PPS,PTP_ENABLE_PPS2 fd ioctl_command hex
ioctl:PTP_SYS_OFFSET,PTP_SYS_OFFSET2 fd ioctl_command in:ptp_offset
ioctl:PTP_SYS_OFFSET_EXTENDED,PTP_SYS_OFFSET_EXTENDED2 fd ioctl_command in:ptp_offset
ioctl:PTP_SYS_OFFSET_PRECISE,PTP_SYS_OFFSET_PRECISE2 fd ioctl_command out:ptp_precise
ioctl:PTP_PIN_GETFUNC fd ioctl_command inout:ptp_pin_get
ioctl:PTP_PIN_GETFUNC2 fd ioctl_command inout:ptp_pin_get2
ioctl:PTP_PIN_SETFUNC fd ioctl_command in:ptp_pin
ioctl:PTP_PIN_SETFUNC2 fd ioctl_command in:ptp_pin2

# input devices
ioctl:EVIOCGVERSION,EVIOCGEFFECTS fd ioctl_command out:ioctl_uint
ioctl:EVIOCGID      fd ioctl_command out:input_id
ioctl:EVIOCGKEYCODE fd ioctl_command out:key_code
ioctl:EVIOCSKEYCODE fd ioctl_command in:key_code
ioctl:EVIOCGKEYCODE_V2 fd ioctl_command out:keymap_entry
ioctl:EVIOCSKEYCODE_V2 fd ioctl_command in:keymap_entry
ioctl:EVIOCSFF      fd ioctl_command in:ff_effect
ioctl:EVIOCGREP     fd ioctl_command out:uint_pair
ioctl:EVIOCSREP     fd ioctl_command in:uint_pair
ioctl:EVIOCSCLOCKID fd ioctl_command in:ioctl_uint
ioctl:EVIOCRMFF     fd ioctl_command int
ioctl:EVIOCGRAB,EVIOCREVOKE fd ioctl_command ulong

# GPIO
ioctl:GPIO_GET_CHIPINFO_IOCTL fd ioctl_command out:gpio_chip
ioctl:GPIO_GET_LINEINFO_UNWATCH_IOCTL fd ioctl_command in:gpio_unwatch
ioctl:GPIO_GET_LINEINFO_IOCTL,GPIO_GET_LINEINFO_WATCH_IOCTL fd ioctl_command inout:gpio_line
ioctl:GPIO_GET_LINEHANDLE_IOCTL fd ioctl_command inout:gpio_handle
ioctl:GPIO_GET_LINEEVENT_IOCTL fd ioctl_command inout:gpio_event
ioctl:GPIOHANDLE_GET_LINE_VALUES_IOCTL fd ioctl_command out:gpio_values
ioctl:GPIOHANDLE_SET_LINE_VALUES_IOCTL fd ioctl_command in:gpio_values
ioctl:GPIOHANDLE_SET_CONFIG_IOCTL fd ioctl_command in:gpio_config
ioctl:GPIO_V2_GET_LINEINFO_IOCTL,GPIO_V2_GET_LINEINFO_WATCH_IOCTL fd ioctl_command inout:gpio_line_v2
ioctl:GPIO_V2_GET_LINE_IOCTL fd ioctl_command inout:gpio_request_v2
ioctl:GPIO_V2_LINE_SET_CONFIG_IOCTL fd ioctl_command in:gpio_config_v2
ioctl:GPIO_V2_LINE_GET_VALUES_IOCTL fd ioctl_command inout:gpio_values_v2
ioctl:GPIO_V2_LINE_SET_VALUES_IOCTL fd ioctl_command in:gpio_set_values_v2

# what the kernel offers
ioctl:INOTIFY_IOC_SETNEXTWD fd ioctl_command int
ioctl:NS_GET_OWNER_UID fd ioctl_command out:boxed_id
ioctl:PERF_EVENT_IOC_ENABLE,PERF_EVENT_IOC_DISABLE,PERF_EVENT_IOC_RESET fd ioctl_command perf_flags32
ioctl:PERF_EVENT_IOC_REFRESH fd ioctl_command int
ioctl:PERF_EVENT_IOC_PERIOD fd ioctl_command in:ioctl_long
ioctl:PERF_EVENT_IOC_SET_OUTPUT,PERF_EVENT_IOC_SET_BPF fd ioctl_command fd
ioctl:PERF_EVENT_IOC_PAUSE_OUTPUT fd ioctl_command ulong
ioctl:PERF_EVENT_IOC_SET_FILTER fd ioctl_command in:string
ioctl:PERF_EVENT_IOC_ID fd ioctl_command out:ioctl_long
ioctl:PERF_EVENT_IOC_QUERY_BPF fd ioctl_command in:perf_query
ioctl:PERF_EVENT_IOC_MODIFY_ATTRIBUTES fd ioctl_command in:perf_attr
ioctl:RNDADDENTROPY fd ioctl_command in:entropy[u32@4+8]
ioctl:SECCOMP_IOCTL_NOTIF_RECV fd ioctl_command addr
ioctl:SECCOMP_IOCTL_NOTIF_SEND fd ioctl_command in:seccomp_answer
ioctl:SECCOMP_IOCTL_NOTIF_ID_VALID fd ioctl_command in:boxed_hex
ioctl:SECCOMP_IOCTL_NOTIF_ADDFD fd ioctl_command in:seccomp_addfd
ioctl:UFFDIO_API    fd ioctl_command inout:uffd_api
ioctl:UFFDIO_COPY   fd ioctl_command inout:uffd_copy
ioctl:UFFDIO_REGISTER fd ioctl_command inout:uffd_register
ioctl:UFFDIO_UNREGISTER,UFFDIO_WAKE fd ioctl_command in:uffd_range
ioctl:UFFDIO_ZEROPAGE fd ioctl_command inout:uffd_zeropage
ioctl:WDIOC_GETSTATUS,WDIOC_GETBOOTSTATUS,WDIOC_GETTEMP,WDIOC_GETTIMEOUT fd ioctl_command out:ioctl_int
ioctl:WDIOC_GETPRETIMEOUT,WDIOC_GETTIMELEFT fd ioctl_command out:ioctl_int
ioctl:WDIOC_SETTIMEOUT,WDIOC_SETPRETIMEOUT fd ioctl_command in:ioctl_int
"""

SIZES: dict[str, int] = {
    "blk_trace": 72,
    "blkpg": 24,
    "blkpg_partition": 152,
    "boxed_busstate": 8,
    "boxed_ide_nice": 8,
    "boxed_otp": 4,
    "boxed_rtc_voltage": 4,
    "boxed_sg_reset": 4,
    "btrfs_balance": 1024,
    "btrfs_paths": 56,
    "btrfs_send": 72,
    "btrfs_statistics": 1032,
    "btrfs_defrag": 48,
    "btrfs_device": 4096,
    "btrfs_group": 16,
    "btrfs_group_member": 24,
    "btrfs_info": 1024,
    "btrfs_lookup": 4096,
    "btrfs_quota": 16,
    "btrfs_rescan": 64,
    "btrfs_scrub": 1024,
    "btrfs_scrubbed": 1024,
    "btrfs_search": 4096,
    "btrfs_search_v2": 112,
    "btrfs_space": 16,
    "btrfs_subvolume": 4096,
    "btrfs_subvolume_flags": 8,
    "btrfs_volume": 4096,
    "clone_range": 32,
    "entropy": 1,
    "erase_info": 8,
    "erase_info64": 16,
    "ff_effect": 48,
    "fiemap": 32,
    "fs_label": 256,
    "fstrim_range": 24,
    "fsxattr": 28,
    "fsxattr_set": 28,
    "gpio_chip": 68,
    "gpio_config": 84,
    "gpio_config_v2": 272,
    "gpio_event": 48,
    "gpio_handle": 364,
    "gpio_line": 72,
    "gpio_line_v2": 256,
    "gpio_request_v2": 592,
    "gpio_set_values_v2": 16,
    "gpio_unwatch": 4,
    "gpio_values": 64,
    "gpio_values_v2": 16,
    "hd_drive_cmd": 4,
    "hd_geometry": 16,
    "input_id": 8,
    "ioctl_uint": 4,
    "ioctl_ushort": 2,
    "key_code": 8,
    "keymap_entry": 40,
    "loop_config": 192,  # without the key, in all three
    "loop_info": 112,
    "loop_info64": 184,
    "mapper": 305,
    "mtd_ecc": 16,
    "mtd_info": 32,
    "mtd_oob": 16,
    "mtd_oob64": 24,
    "mtd_region": 16,
    "mtd_write": 48,
    "otp_info": 12,
    "perf_query": 8,  # struct perf_event_query_bpf without its array
    "ptp_caps": 80,
    "ptp_extts": 16,
    "ptp_extts2": 16,
    "ptp_offset": 16,  # struct ptp_sys_offset and ..._extended, without the samples
    "ptp_perout": 56,
    "ptp_pin": 96,
    "ptp_pin2": 96,
    "ptp_pin_get": 96,
    "ptp_pin_get2": 96,
    "ptp_precise": 64,
    "rtc_alarm": 40,
    "rtc_param": 24,
    "rtc_pll": 32,
    "rtc_time": 36,
    "seccomp_addfd": 24,
    "seccomp_answer": 24,
    "three_ints": 12,
    "uffd_api": 24,
    "uffd_copy": 40,
    "uffd_range": 16,
    "uffd_register": 32,
    "uffd_zeropage": 32,
    "uint_pair": 8,
}
