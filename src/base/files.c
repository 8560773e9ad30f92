#include "base/files.h"

rlim_t
files_allow(rlim_t want)
{
	struct rlimit limit, raised;

	if (getrlimit(RLIMIT_NOFILE, &limit) == -1)
		return (want);
	if (limit.rlim_max < want) {
		raised.rlim_cur = raised.rlim_max = want;
		if (setrlimit(RLIMIT_NOFILE, &raised) == 0)
			return (want);
		want = limit.rlim_max;
	}
	raised = limit;
	raised.rlim_cur = want;
	if (setrlimit(RLIMIT_NOFILE, &raised) == -1)
		return (limit.rlim_cur < want ? limit.rlim_cur : want);
	return (want);
}
