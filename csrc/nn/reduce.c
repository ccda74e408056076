/* Passes that sum over pixels. Chunks of SCP_CHUNK pixels are summed in float32 and added in
 * float64, in the order of the chunks. */
#include <string.h>

#include "pass_rows.h"

struct work {
    const struct scp_map *map; /* what is summed, or the gradient */
    const struct scp_pull *pull;
    const float *centre; /* [lanes] */
    size_t centre_step;
    double *sums; /* [chunks of all images][2][lanes] */
};

static enum scp_status moments_chunk(void *context, size_t task, size_t worker) {
    const struct work *w = context;
    const size_t chunks = scp_pass_chunks(w->map), pixels = w->map->height * w->map->width;
    const size_t b = task / chunks, first = task % chunks * SCP_CHUNK;
    const size_t n = pixels - first < SCP_CHUNK ? pixels - first : SCP_CHUNK;
    const size_t lanes = scp_lanes_up(w->map->channels);
    const float *in = w->map->data + (b * pixels + first) * w->map->stride;
    double *sum = w->sums + task * 2 * lanes, *squares = sum + lanes;
    float s[SCP_LANES], q[SCP_LANES];
    (void)worker;
    for (size_t j = 0; j < lanes; j += SCP_LANES) {
        scp_nn_kernels()->passes.moments(s, q, in + j, in + j, w->map->stride, n, SCP_LANES);
        for (size_t c = 0; c < SCP_LANES; c++) { /* mean of the chunk, squares around it */
            const double shift = (double)s[c] / (double)n;
            sum[j + c] = (double)in[j + c] + shift;
            squares[j + c] = (double)q[c] - shift * (double)s[c];
        }
    }
    return SCP_OK;
}

enum scp_status scp_pass_moments(double *mean, double *variance, const struct scp_map *in,
                                 int per_image, float *workspace,
                                 const struct scp_control *control) {
    const size_t chunks = scp_pass_chunks(in), pixels = in->height * in->width;
    const size_t lanes = scp_lanes_up(in->channels), sets = per_image ? in->batch : 1;
    struct work w = {.map = in, .sums = (double *)(void *)workspace};
    enum scp_status status = scp_parallel(in->batch * chunks, moments_chunk, &w, control);
    if (status != SCP_OK) return status;
    const size_t tasks = in->batch * chunks / sets;
    for (size_t set = 0; set < sets; set++) { /* Chan, Golub and LeVeque: parallel variance */
        double *m = mean + set * lanes, *v = variance + set * lanes, count = 0;
        memset(m, 0, lanes * sizeof *m);
        memset(v, 0, lanes * sizeof *v);
        for (size_t t = 0; t < tasks; t++) {
            const size_t first = t % chunks * SCP_CHUNK;
            const double n = (double)(pixels - first < SCP_CHUNK ? pixels - first : SCP_CHUNK);
            const double *sum = w.sums + (set * tasks + t) * 2 * lanes;
            for (size_t c = 0; c < lanes; c++) {
                const double delta = sum[c] - m[c];
                m[c] += delta * (n / (count + n));
                v[c] += sum[lanes + c] + delta * delta * (count * n / (count + n));
            }
            count += n;
        }
        for (size_t c = 0; c < lanes; c++) v[c] = v[c] > 0 ? v[c] / count : 0;
    }
    return SCP_OK;
}

static enum scp_status pull_chunk(void *context, size_t task, size_t worker) {
    const struct work *w = context;
    const struct scp_map *grad = w->map, *raw = &w->pull->raw;
    const size_t chunks = scp_pass_chunks(grad), pixels = grad->height * grad->width;
    const size_t b = task / chunks, first = task % chunks * SCP_CHUNK;
    const size_t n = pixels - first < SCP_CHUNK ? pixels - first : SCP_CHUNK;
    const size_t lanes = scp_lanes_up(grad->channels), at = b * pixels + first;
    const float *centre = w->centre + b * w->centre_step;
    double *sum = w->sums + task * 2 * lanes;
    float s[SCP_LANES], q[SCP_LANES];
    (void)worker;
    for (size_t j = 0; j < lanes; j += SCP_LANES) {
        const struct scp_pending_row p = scp_pass_of_image(&w->pull->pending, b, j);
        scp_nn_kernels()->passes.pull_sums(s, q, centre + j, grad->data + at * grad->stride + j,
                                           grad->stride, raw->data + at * raw->stride + j,
                                           raw->stride, &p, n, SCP_LANES);
        for (size_t c = 0; c < SCP_LANES; c++) {
            sum[j + c] = (double)s[c];
            sum[lanes + j + c] = (double)q[c];
        }
    }
    return SCP_OK;
}

enum scp_status scp_pass_pull_sums(double *sum, double *product, const float *centre,
                                   size_t centre_step, const struct scp_map *grad,
                                   const struct scp_pull *pull, int per_image, float *workspace,
                                   const struct scp_control *control) {
    const size_t chunks = scp_pass_chunks(grad), lanes = scp_lanes_up(grad->channels);
    const size_t sets = per_image ? grad->batch : 1;
    struct work w = {.map = grad,
                     .pull = pull,
                     .centre = centre,
                     .centre_step = centre_step,
                     .sums = (double *)(void *)workspace};
    enum scp_status status = scp_parallel(grad->batch * chunks, pull_chunk, &w, control);
    if (status != SCP_OK) return status;
    memset(sum, 0, sets * lanes * sizeof *sum);
    memset(product, 0, sets * lanes * sizeof *product);
    for (size_t t = 0; t < grad->batch * chunks; t++) {
        const size_t set = per_image ? t / chunks : 0;
        for (size_t c = 0; c < lanes; c++) {
            sum[set * lanes + c] += w.sums[t * 2 * lanes + c];
            product[set * lanes + c] += w.sums[(t * 2 + 1) * lanes + c];
        }
    }
    return SCP_OK;
}

/* ---- global average ---- */

struct mean {
    const struct scp_map *out, *in;
    struct scp_pending pending;
    int accumulate;
};

static enum scp_status mean_image(void *context, size_t b, size_t worker) {
    const struct mean *w = context;
    const size_t lanes = scp_lanes_up(w->in->channels), pixels = w->in->height * w->in->width;
    float *out = scp_map_row(w->out, b, 0);
    const float *in = scp_map_row(w->in, b, 0);
    (void)worker;
    for (size_t j = 0; j < lanes; j += SCP_LANES) {
        const struct scp_pending_row p = scp_pass_of_image(&w->pending, b, j);
        double sum[SCP_LANES] = {0};
        for (size_t i = 0; i < pixels; i++) {
            float z[SCP_LANES];
            scp_nn_kernels()->pending(z, SCP_LANES, in + i * w->in->stride + j, w->in->stride, 1,
                                      SCP_LANES, &p);
            for (size_t c = 0; c < SCP_LANES; c++) sum[c] += (double)z[c];
        }
        for (size_t c = 0; c < SCP_LANES; c++) out[j + c] = (float)(sum[c] / (double)pixels);
    }
    return SCP_OK;
}

enum scp_status scp_pass_mean(const struct scp_map *out, const struct scp_map *in,
                              const struct scp_pending *pending, float *workspace,
                              const struct scp_control *control) {
    struct mean w = {
        .out = out, .in = in, .pending = scp_pass_identity(workspace, pending, in->channels)};
    return scp_parallel(in->batch, mean_image, &w, control);
}

static enum scp_status mean_pull_row(void *context, size_t task, size_t worker) {
    const struct mean *w = context;
    const struct scp_map *to = w->out;
    const size_t b = task / to->height, y = task % to->height;
    const float share = 1 / (float)(to->height * to->width);
    (void)worker;
    scp_nn_kernels()->passes.add(scp_map_row(to, b, y), to->stride, w->accumulate,
                                 scp_map_row(w->in, b, 0), 0, share, to->width,
                                 scp_lanes_up(to->channels));
    return SCP_OK;
}

enum scp_status scp_pass_mean_pull(const struct scp_map *in_grad, int accumulate,
                                   const struct scp_map *out_grad,
                                   const struct scp_control *control) {
    struct mean w = {.out = in_grad, .in = out_grad, .accumulate = accumulate};
    return scp_parallel(in_grad->batch * in_grad->height, mean_pull_row, &w, control);
}
