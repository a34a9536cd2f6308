/* SPDX-License-Identifier: GPL-2.0-only */
/* The integer types that BCC's helpers.h and our record.h need from the kernel's headers. */
#pragma once
typedef signed char __s8;
typedef unsigned char __u8;
typedef short __s16;
typedef unsigned short __u16;
typedef int __s32;
typedef unsigned int __u32;
typedef long long __s64;
typedef unsigned long long __u64;

typedef __s8 s8;
typedef __u8 u8;
typedef __s16 s16;
typedef __u16 u16;
typedef __s32 s32;
typedef __u32 u32;
typedef __s64 s64;
typedef __u64 u64;

typedef __u16 __le16, __be16, __sum16;
typedef __u32 __le32, __be32, __wsum;
typedef __u64 __le64, __be64;
typedef __u8 uint8_t;
typedef __u16 uint16_t;
typedef __u32 uint32_t;
typedef __u64 uint64_t;
typedef unsigned long uintptr_t, size_t;
typedef long ssize_t;
typedef long long loff_t;
typedef _Bool bool;
#define __aligned_u64 __u64 __attribute__((aligned(8)))

enum { false = 0, true = 1 };
#define NULL ((void *)0)
#define __force
#define __user
