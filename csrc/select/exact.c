#include "problem.h"
enum scp_status scp_select_exact(uint32_t *set, size_t *count, struct scp_select_proof *proof,
                                 const struct scp_select *problem, size_t m, double bound,
                                 const float *lambda, size_t max_nodes,
                                 const struct scp_control *control) {
    (void)m, (void)lambda, (void)max_nodes, (void)control;
    proof->score = scp_select_score(problem, set, *count);
    proof->bound = bound;
    proof->proven = 0;
    return SCP_OK;
}
