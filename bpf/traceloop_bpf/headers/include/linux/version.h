/* SPDX-License-Identifier: GPL-2.0-only */
/* BCC passes LINUX_VERSION_CODE where it knows it; raw tracepoints do not check it. */
#pragma once
#define KERNEL_VERSION(a, b, c) (((a) << 16) + ((b) << 8) + ((c) > 255 ? 255 : (c)))
#ifndef LINUX_VERSION_CODE
#define LINUX_VERSION_CODE KERNEL_VERSION(5, 15, 0)
#endif
