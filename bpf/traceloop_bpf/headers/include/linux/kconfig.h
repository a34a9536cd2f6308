/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once
#define CONFIG_BPF_SYSCALL 1
#define IS_ENABLED(option) 0
