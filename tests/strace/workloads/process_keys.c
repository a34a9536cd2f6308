// SPDX-License-Identifier: Apache-2.0
// Keys and keyrings, and Landlock.
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/keyctl.h>
#include <linux/landlock.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static long keyctl(long operation, long second, long third, long fourth, long fifth)
{
	return syscall(SYS_keyctl, operation, second, third, fourth, fifth);
}

int main(void)
{
	static char buffer[128];

	/* Keys have random ids, so the calls that return one are made to fail. */
	keyctl(KEYCTL_JOIN_SESSION_KEYRING, (long)"", 0, 0, 0);
	keyctl(KEYCTL_GET_KEYRING_ID, KEY_SPEC_REQKEY_AUTH_KEY, 0, 0, 0);
	long key = KEY_SPEC_PROCESS_KEYRING;
	syscall(SYS_add_key, "user", "traceloop:test", 0L, 7L, 123L);
	syscall(SYS_add_key, "no-such-type", "x", 0L, 0L, (long)KEY_SPEC_THREAD_KEYRING);
	syscall(SYS_request_key, "user", "traceloop:none", 0L, 0L);
	syscall(SYS_request_key, "no-such-type", "x", "callout", (long)KEY_SPEC_USER_KEYRING);
	keyctl(KEYCTL_DESCRIBE, key, (long)buffer, sizeof buffer, 0);
	keyctl(KEYCTL_READ, key, (long)buffer, sizeof buffer, 0);
	keyctl(KEYCTL_UPDATE, key, (long)"newer", 5, 0);
	keyctl(KEYCTL_SETPERM, key, 0x3f010000, 0, 0);
	keyctl(KEYCTL_CHOWN, key, -1, 0, 0);
	keyctl(KEYCTL_SEARCH, KEY_SPEC_PROCESS_KEYRING, (long)"user", (long)"traceloop:none", 0);
	keyctl(KEYCTL_LINK, key, KEY_SPEC_SESSION_KEYRING, 0, 0);
	keyctl(KEYCTL_UNLINK, key, KEY_SPEC_SESSION_KEYRING, 0, 0);
	keyctl(KEYCTL_SET_TIMEOUT, key, 100, 0, 0);
	keyctl(KEYCTL_GET_SECURITY, key, (long)buffer, sizeof buffer, 0);
	keyctl(KEYCTL_SET_REQKEY_KEYRING, KEY_REQKEY_DEFL_NO_CHANGE, 0, 0, 0);
	keyctl(KEYCTL_CLEAR, KEY_SPEC_PROCESS_KEYRING, 0, 0, 0);
	keyctl(KEYCTL_REVOKE, key, 0, 0, 0);
	keyctl(KEYCTL_REJECT, 12345, 5, 13, 0);
	keyctl(KEYCTL_MOVE, 1, 2, 3, 1);
	keyctl(KEYCTL_INVALIDATE, 999999999, 0, 0, 0);
	keyctl(99, 1, 2, 3, 4);

	struct landlock_ruleset_attr rules = {LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_WRITE_FILE};
	syscall(SYS_landlock_create_ruleset, 0L, 0L, 1L);
	long ruleset = syscall(SYS_landlock_create_ruleset, &rules, 8L, 0L);
	syscall(SYS_landlock_create_ruleset, &rules, 4L, 2L);
	struct landlock_path_beneath_attr beneath = {LANDLOCK_ACCESS_FS_EXECUTE, AT_FDCWD};
	syscall(SYS_landlock_add_rule, ruleset, (long)LANDLOCK_RULE_PATH_BENEATH, &beneath, 0L);
	syscall(SYS_landlock_add_rule, ruleset, 9L, 0L, 1L);
	syscall(SYS_landlock_restrict_self, -1L, 0L);
	syscall(SYS_landlock_restrict_self, -1L, 1L);
	return 0;
}
