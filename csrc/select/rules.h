/* Feasibility (rules.c). */
#ifndef SCP_SELECT_RULES_H
#define SCP_SELECT_RULES_H

#include "problem.h"

/* Whether row c may join set[count]; looks at role, groups, budget and distances. */
int scp_rules_allow(const struct scp_select *p, const uint32_t *set, size_t count, uint32_t c);

/* Whether set[count] can grow to m rows: 1 yes (extension in set[count .. m-1], room for m), 0 no,
 * -1 not found within the search limit. `scratch` has scp_rules_scratch(p) bytes. */
#define SCP_RULES_STOPPED (-2) /* control's poll asks to stop */
int scp_rules_complete(const struct scp_select *p, uint32_t *set, size_t count, size_t m,
                       void *scratch, const struct scp_control *control);
size_t scp_rules_scratch(const struct scp_select *p);

/* Non-zero when only the size matters: no groups, budget or distances. */
int scp_rules_trivial(const struct scp_select *p);

#endif
