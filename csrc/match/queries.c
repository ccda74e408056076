/* Queries, checked and quantised once for all the images in which they are searched. */
#include <math.h>

#include "match.h"
#include "scp/alloc.h"

#define CHUNK 256 /* queries per task */

struct prepare {
    struct scp_queries *queries;
    const struct scp_kernels *kernels;
};

static enum scp_status prepare(void *context, size_t task, size_t worker) {
    const struct prepare *p = context;
    const struct scp_queries *q = p->queries;
    const size_t channels = q->channels, end = (task + 1) * CHUNK;
    const size_t last = (end < q->count ? end : q->count) * q->levels;
    (void)worker;
    for (size_t i = task * CHUNK * q->levels; i < last; i++) {
        const float *v = q->vectors + i * channels;
        if (!(q->norms[i] >= 0 && q->norms[i] < INFINITY)) return SCP_EINVAL;
        if (!(p->kernels->dot(v, v, channels) <= SCP_UNIT_LIMIT)) return SCP_EINVAL;
        for (size_t c = 0; c < channels; c++)
            q->quantised[i * channels + c] = scp_quantise(v[c] * SCP_QUANTISED);
    }
    return SCP_OK;
}

enum scp_status scp_queries_create(struct scp_queries **queries, const float *vectors,
                                   const float *norms, size_t count, size_t levels, size_t channels,
                                   const struct scp_control *control) {
    const struct scp_grid grid = {levels, channels, 1, 1};
    enum scp_status status = scp_grid_check(&grid);
    if (status != SCP_OK) return status;
    struct scp_queries *q = scp_calloc(1, sizeof *q);
    if (!q) return SCP_ENOMEM;
    *q = (struct scp_queries){vectors, norms, NULL, count, levels, channels, {0}};
    q->quantised = scp_alloc(count * levels * channels, sizeof *q->quantised);
    struct prepare work = {q, scp_kernels()};
    status = q->quantised ? scp_parallel((count + CHUNK - 1) / CHUNK, prepare, &work, control)
                          : SCP_ENOMEM;
    if (status != SCP_OK) {
        scp_queries_free(q);
        return status;
    }
    for (size_t i = 0; i < count * levels; i++)
        if (norms[i] > q->largest[i % levels]) q->largest[i % levels] = norms[i];
    *queries = q;
    return SCP_OK;
}

void scp_queries_free(struct scp_queries *queries) {
    if (!queries) return;
    scp_free(queries->quantised);
    scp_free(queries);
}
