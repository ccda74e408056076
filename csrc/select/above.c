/* How far the rows of a matrix lie above a floor, by cluster of clients (scp/select.h). */
#include "scp/select.h"

#include <string.h>

#include "scp/alloc.h"

struct above {
    const struct scp_above_input *in;
    double *sums;    /* [n][clusters] */
    double *scratch; /* [workers][stride]: neighbouring rows must not share a cache line */
    size_t stride;
    const struct scp_control *control;
};

static enum scp_status run_row(void *context, size_t t, size_t worker) {
    const struct above *a = context;
    const struct scp_above_input *in = a->in;
    const float *row = in->values + t * in->q;
    double *sums = a->scratch + worker * a->stride;
    if (scp_poll(a->control, t, in->n) != SCP_OK) return SCP_EINTERRUPTED;
    memset(sums, 0, in->clusters * sizeof *sums);
    for (size_t i = 0; i < in->q; i++) {
        const double over = (double)row[i] - (double)in->floor[i];
        sums[in->cluster[i]] += in->weights[i] * (over > 0 ? over : 0);
    }
    memcpy(a->sums + t * in->clusters, sums, in->clusters * sizeof *sums);
    return SCP_OK;
}

enum scp_status scp_select_above(double *above, const struct scp_above_input *input,
                                 const struct scp_control *control) {
    for (size_t i = 0; i < input->q; i++)
        if (input->cluster[i] >= input->clusters)
            return scp_invalid(control, "cluster", i, "is no cluster");
    struct above a = {.in = input, .sums = above, .control = control};
    a.stride = (input->clusters + 15) / 8 * 8;
    a.scratch = scp_alloc(a.stride, scp_threads() * sizeof *a.scratch);
    if (!a.scratch) return SCP_ENOMEM;
    const enum scp_status status = scp_parallel(input->n, run_row, &a, control);
    scp_free(a.scratch);
    return status;
}
