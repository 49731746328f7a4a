/* A PKCS #11 module that passes every call on to another one, and fails as a file
 * says: the int32 at its beginning, which is mapped into every process that loads
 * the module. The file is "fault" beside the configuration that SOFTHSM2_CONF names.
 *
 * The functions of a CK_FUNCTION_LIST (PKCS #11 v2.40, pkcs11f.h) take at most
 * eight arguments, integers and pointers all of them, so one shape of call fits all
 * under the C calling conventions of x86-64 and arm64. */
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

typedef unsigned long word;
typedef word (*function)(word, word, word, word, word, word, word, word);

#define FUNCTIONS 68
struct list {
	unsigned char version[2];
	function at[FUNCTIONS];
};

/* Places in the list. */
enum { GET_FUNCTION_LIST = 3, OPEN_SESSION = 12, CLOSE_ALL_SESSIONS = 14, LOGOUT = 19, CREATE_OBJECT = 20 };

/* What the file says; mirrored in module.go. */
enum { WELL, REMOVED, FAILING, HANGING, FLAKY, SLOW, FORGET_SESSIONS, LOG_OUT };

/* CKR values (pkcs11t.h). */
enum { CKR_OK = 0, CKR_GENERAL_ERROR = 5, CKR_DEVICE_ERROR = 0x30, CKR_DEVICE_REMOVED = 0x32 };

static struct list *real, ours;
static int *fault, well = WELL;
static word slot;

static void map_fault(void)
{
	char path[PATH_MAX];
	const char *conf = getenv("SOFTHSM2_CONF");
	const char *end = conf ? strrchr(conf, '/') : NULL;
	fault = &well;
	if (end == NULL || snprintf(path, sizeof path, "%.*s/fault", (int)(end - conf), conf) >= (int)sizeof path)
		return;
	int fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return;
	void *map = mmap(NULL, sizeof *fault, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (map != MAP_FAILED)
		fault = map;
}

static int now(void) { return __atomic_load_n(fault, __ATOMIC_SEQ_CST); }

/* once says whether this call is the one that carries a fault out. */
static int once(int which)
{
	int expected = which;
	return __atomic_compare_exchange_n(fault, &expected, WELL, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

/* A session call's first argument is the session. */
static word gate(int index, word first)
{
	static __thread unsigned int dice;
	while (now() == HANGING)
		usleep(5000);
	switch (now()) {
	case REMOVED:
		return CKR_DEVICE_REMOVED;
	case FAILING:
		return CKR_DEVICE_ERROR;
	case FLAKY:
		return rand_r(&dice) % 8 == 0 ? CKR_DEVICE_ERROR : CKR_OK;
	case SLOW:
		usleep(50000 + rand_r(&dice) % 100000);
		break;
	case FORGET_SESSIONS: /* as a token that was restarted: sessions, their objects and the login are gone */
		if (slot != (word)-1 && once(FORGET_SESSIONS))
			real->at[CLOSE_ALL_SESSIONS](slot, 0, 0, 0, 0, 0, 0, 0);
		break;
	case LOG_OUT:
		if (index >= CREATE_OBJECT && once(LOG_OUT))
			real->at[LOGOUT](first, 0, 0, 0, 0, 0, 0, 0);
		break;
	}
	return CKR_OK;
}

static word call(int index, word a, word b, word c, word d, word e, word f, word g, word h)
{
	word failure = gate(index, a);
	if (failure != CKR_OK)
		return failure;
	if (index == OPEN_SESSION)
		slot = a;
	return real->at[index](a, b, c, d, e, f, g, h);
}

#define F(n) \
	static word f##n(word a, word b, word c, word d, word e, word f, word g, word h) \
	{ \
		return call(n, a, b, c, d, e, f, g, h); \
	}
#define TEN(M, t) M(t##0) M(t##1) M(t##2) M(t##3) M(t##4) M(t##5) M(t##6) M(t##7) M(t##8) M(t##9)
#define ALL(M) TEN(M, ) TEN(M, 1) TEN(M, 2) TEN(M, 3) TEN(M, 4) TEN(M, 5) \
	M(60) M(61) M(62) M(63) M(64) M(65) M(66) M(67)
ALL(F)

#define SET(n) ours.at[n] = f##n;

word C_GetFunctionList(struct list **list)
{
	if (real == NULL) {
		void *module = dlopen(MODULE, RTLD_NOW | RTLD_LOCAL);
		word (*get)(struct list **) = module ? (word (*)(struct list **))dlsym(module, "C_GetFunctionList") : NULL;
		if (get == NULL || get(&real) != CKR_OK)
			return CKR_GENERAL_ERROR;
		slot = (word)-1;
		map_fault();
		memcpy(ours.version, real->version, sizeof ours.version);
		ALL(SET)
		ours.at[GET_FUNCTION_LIST] = (function)C_GetFunctionList;
	}
	*list = &ours;
	return CKR_OK;
}
