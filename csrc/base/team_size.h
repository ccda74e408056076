/* How large the thread team is when nobody sets its size (team_size.c). */
#ifndef SCP_BASE_TEAM_SIZE_H
#define SCP_BASE_TEAM_SIZE_H

#include <stddef.h>

#define SCP_TEAM_MAX 256 /* threads, callers included */

size_t scp_team_default_size(void);

#endif
