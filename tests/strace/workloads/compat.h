/* SPDX-License-Identifier: Apache-2.0 */
/* Calls through the 32-bit entry, from a 64-bit program that is linked where pointers fit into 32 bits. */
#include <stdint.h>
#include <string.h>

#define AT(x) ((uint32_t)(uintptr_t)(x))

static long call32(uint32_t number, uint32_t a, uint32_t b, uint32_t c, uint32_t d, uint32_t e, uint32_t f)
{
	long result;
	asm volatile("push %%rbp; mov %k7, %%ebp; int $0x80; pop %%rbp"
		     : "=a"(result)
		     : "0"(number), "b"(a), "c"(b), "d"(c), "S"(d), "D"(e), "r"(f)
		     : "r8", "r9", "r10", "r11", "memory");
	return (int)result;
}

#define CALL1(n, a) call32(n, a, 0, 0, 0, 0, 0)
#define CALL2(n, a, b) call32(n, a, b, 0, 0, 0, 0)
#define CALL3(n, a, b, c) call32(n, a, b, c, 0, 0, 0)
#define CALL4(n, a, b, c, d) call32(n, a, b, c, d, 0, 0)
#define CALL5(n, a, b, c, d, e) call32(n, a, b, c, d, e, 0)
#define CALL6(n, a, b, c, d, e, f) call32(n, a, b, c, d, e, f)
