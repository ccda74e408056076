/* Queries, checked, ordered and quantised once for all the images in which they are searched. */
#include "queries.h"

#include <math.h>
#include <string.h>

#include "../kernels/kernels.h"
#include "order.h"
#include "scp/alloc.h"

#define CHUNK 256 /* queries per task */

struct quantise_job {
    struct scp_queries *queries;
    const float *vectors, *norms;
    const struct scp_tree_kernels *kernels;
};

/* SCP_EINVAL when the vector is longer than 1. */
static enum scp_status quantise(int8_t *to, struct quantisation *scaling, const float *v,
                                size_t channels, const struct scp_tree_kernels *kernels) {
    const float max_abs = kernels->max_abs(v, channels);
    float sums[2];
    uint8_t *bytes = (uint8_t *)to;
    kernels->quantise(bytes, sums, v, max_abs > 1e-30f ? 127 / max_abs : 0, channels);
    if (!(sums[1] <= SCP_UNIT_LIMIT)) return SCP_EINVAL;
    int32_t sum = 0;
    for (size_t c = 0; c < channels; c++) {
        to[c] = (int8_t)(bytes[c] ^ 128);
        sum += to[c];
    }
    const float unit = max_abs / 127;
    *scaling = (struct quantisation){unit, sqrtf(sums[0]) * unit * 1.0001f, sum};
    return SCP_OK;
}

static enum scp_status quantise_some(void *context, size_t task, size_t worker) {
    const struct quantise_job *job = context;
    const struct scp_queries *q = job->queries;
    const size_t channels = q->channels, end = (task + 1) * CHUNK;
    const size_t last = (end < q->count ? end : q->count) * q->levels;
    (void)worker;
    for (size_t i = task * CHUNK * q->levels; i < last; i++) {
        const size_t from = q->order[i / q->levels] * q->levels + i % q->levels;
        float *v = q->vectors + i * channels;
        memcpy(v, job->vectors + from * channels, channels * sizeof *v);
        q->norms[i] = job->norms[from];
        if (!(q->norms[i] >= 0 && q->norms[i] < INFINITY)) return SCP_EINVAL;
        const enum scp_status status =
            quantise(q->quantised + i * channels, &q->scaling[i], v, channels, job->kernels);
        if (status != SCP_OK) return status;
    }
    return SCP_OK;
}

enum scp_status scp_name_vectors(const struct scp_control *control, const char *vectors_name,
                                 const char *norms_name, const float *norms, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (!(norms[i] >= 0 && norms[i] < INFINITY))
            return scp_invalid(control, norms_name, i, "must be finite and >= 0");
    return scp_invalid(control, vectors_name, SCP_WHOLE, "must be unit vectors");
}

enum scp_status scp_queries_create(struct scp_queries **queries, const float *vectors,
                                   const float *norms, size_t count, size_t levels, size_t channels,
                                   const struct scp_control *control) {
    const struct scp_grid grid = {levels, channels, 1, 1};
    enum scp_status status = scp_grid_check(&grid, control);
    if (status != SCP_OK) return status;
    if (count > UINT32_MAX)
        return scp_invalid(control, "queries", SCP_SHAPE, "must be fewer than 2^32");
    struct scp_queries *q = scp_calloc(1, sizeof *q);
    if (!q) return SCP_ENOMEM;
    q->count = count, q->levels = levels, q->channels = channels;
    q->order = scp_alloc(count, sizeof *q->order);
    q->heads = scp_alloc(count, sizeof *q->heads);
    q->vectors = scp_alloc(count * levels * channels, sizeof *q->vectors);
    q->norms = scp_alloc(count * levels, sizeof *q->norms);
    q->quantised = scp_alloc(count * levels * channels, sizeof *q->quantised);
    q->scaling = scp_alloc(count * levels, sizeof *q->scaling);
    struct quantise_job job = {q, vectors, norms, &scp_kernels()->tree};
    const int room = q->order && q->heads && q->vectors && q->norms && q->quantised && q->scaling;
    status =
        room ? scp_queries_order(q->order, q->heads, vectors, count, levels, channels) : SCP_ENOMEM;
    if (status == SCP_OK)
        status = scp_parallel((count + CHUNK - 1) / CHUNK, quantise_some, &job, control);
    if (status == SCP_EINVAL)
        scp_name_vectors(control, "queries", "query_norms", norms, count * levels);
    if (status != SCP_OK) {
        scp_queries_free(q);
        return status;
    }
    for (size_t i = 0; i < count * levels; i++)
        if (norms[i] > q->max_norms[i % levels]) q->max_norms[i % levels] = norms[i];
    *queries = q;
    return SCP_OK;
}

void scp_queries_free(struct scp_queries *queries) {
    if (!queries) return;
    scp_free(queries->order);
    scp_free(queries->heads);
    scp_free(queries->vectors);
    scp_free(queries->norms);
    scp_free(queries->quantised);
    scp_free(queries->scaling);
    scp_free(queries);
}
