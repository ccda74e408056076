/* Passes that sum over pixels. Chunks of CHUNK pixels are summed in float32 and added in float64,
 * in the order of the chunks. */
#include "reduce.h"

#include <string.h>

#include "../kernels/kernels.h"

#define CHUNK 512 /* pixels */

struct work {
    const struct scp_map *map; /* what is summed, or the gradient */
    const struct scp_backward *backward;
    const float *centre; /* [lanes] */
    double *sums;        /* [chunks of all images][2][lanes] */
};

static size_t chunks_of(const struct scp_map *map) { /* of an image */
    return scp_ceil_div(map->height * map->width, CHUNK);
}

size_t scp_reduce_workspace(const struct scp_map *map) {
    const size_t lanes = scp_lanes_up(map->channels);
    return 3 * lanes + map->batch * chunks_of(map) * 2 * lanes * (sizeof(double) / sizeof(float));
}

/* Pixels `first` .. first + count - 1 of an image. */
struct chunk {
    size_t image, first, count;
};
static struct chunk chunk_at(const struct scp_map *map, size_t task) {
    const size_t chunks = chunks_of(map), first = task % chunks * CHUNK;
    return (struct chunk){task / chunks, first, scp_min(map->height * map->width - first, CHUNK)};
}

static enum scp_status moments_chunk(void *context, size_t task, size_t worker) {
    const struct work *w = context;
    const struct chunk at = chunk_at(w->map, task);
    const size_t lanes = scp_lanes_up(w->map->channels);
    const float *in = scp_map_row(w->map, at.image, 0) + at.first * w->map->stride;
    double *sum = w->sums + task * 2 * lanes, *squares = sum + lanes;
    float s[SCP_LANES], q[SCP_LANES];
    (void)worker;
    for (size_t j = 0; j < lanes; j += SCP_LANES) {
        scp_kernels()->passes.moments(s, q, in + j, in + j, w->map->stride, at.count, SCP_LANES);
        for (size_t c = 0; c < SCP_LANES; c++) { /* mean of the chunk, squares around it */
            const double shift = (double)s[c] / (double)at.count;
            sum[j + c] = (double)in[j + c] + shift;
            squares[j + c] = (double)q[c] - shift * (double)s[c];
        }
    }
    return SCP_OK;
}

enum scp_status scp_pass_moments(double *mean, double *variance, const struct scp_map *in,
                                 int per_image, const struct scp_run *run) {
    const size_t chunks = chunks_of(in);
    const size_t lanes = scp_lanes_up(in->channels), sets = per_image ? in->batch : 1;
    struct work w = {.map = in, .sums = (double *)(void *)run->workspace};
    const enum scp_status status =
        scp_parallel(in->batch * chunks, moments_chunk, &w, run->control);
    if (status != SCP_OK) return status;
    const size_t tasks = in->batch * chunks / sets;
    for (size_t set = 0; set < sets; set++) { /* Chan, Golub and LeVeque: parallel variance */
        double *m = mean + set * lanes, *v = variance + set * lanes, count = 0;
        memset(m, 0, lanes * sizeof *m);
        memset(v, 0, lanes * sizeof *v);
        for (size_t t = 0; t < tasks; t++) {
            const double n = (double)chunk_at(in, t).count;
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

static enum scp_status backward_chunk(void *context, size_t task, size_t worker) {
    const struct work *w = context;
    const struct scp_map *map = w->map, *raw = &w->backward->raw;
    const struct chunk at = chunk_at(map, task);
    const size_t lanes = scp_lanes_up(map->channels);
    const float *centre = w->centre + at.image * w->backward->deferred.image_step;
    const float *gradient = scp_map_row(map, at.image, 0) + at.first * map->stride;
    const float *x = scp_map_row(raw, at.image, 0) + at.first * raw->stride;
    double *sum = w->sums + task * 2 * lanes;
    float s[SCP_LANES], q[SCP_LANES];
    (void)worker;
    for (size_t j = 0; j < lanes; j += SCP_LANES) {
        const struct scp_deferred_row d = scp_deferred_row(&w->backward->deferred, at.image, j);
        scp_kernels()->passes.backward_sums(s, q, centre + j, gradient + j, map->stride, x + j,
                                            raw->stride, &d, at.count, SCP_LANES);
        for (size_t c = 0; c < SCP_LANES; c++) {
            sum[j + c] = (double)s[c];
            sum[lanes + j + c] = (double)q[c];
        }
    }
    return SCP_OK;
}

enum scp_status scp_pass_backward_sums(double *sum, double *product, const float *centre,
                                       const struct scp_source *gradient, int per_image,
                                       const struct scp_run *run) {
    const struct scp_map *map = &gradient->map;
    const size_t chunks = chunks_of(map), lanes = scp_lanes_up(map->channels);
    const size_t sets = per_image ? map->batch : 1;
    struct work w = {.map = map,
                     .backward = &gradient->backward,
                     .centre = centre,
                     .sums = (double *)(void *)run->workspace};
    const enum scp_status status =
        scp_parallel(map->batch * chunks, backward_chunk, &w, run->control);
    if (status != SCP_OK) return status;
    memset(sum, 0, sets * lanes * sizeof *sum);
    memset(product, 0, sets * lanes * sizeof *product);
    for (size_t t = 0; t < map->batch * chunks; t++) {
        const size_t set = per_image ? t / chunks : 0;
        for (size_t c = 0; c < lanes; c++) {
            sum[set * lanes + c] += w.sums[t * 2 * lanes + c];
            product[set * lanes + c] += w.sums[(t * 2 + 1) * lanes + c];
        }
    }
    return SCP_OK;
}
