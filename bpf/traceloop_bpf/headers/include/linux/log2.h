/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once
#define ilog2(n) (63 - __builtin_clzll(n))
