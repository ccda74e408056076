/* ZCore's scores, draw by draw (scp/zcore.h): one pass over a draw's two dimensions finds the
 * nearest image, three share the penalty out (kernels/plane.h). */
#include "scp/zcore.h"

#include <math.h>
#include <string.h>

#include "../kernels/kernels.h"
#include "scp/alloc.h"
#include "scp/random.h"

#define POLL 256 /* draws between two looks at the control */

struct zcore {
    const struct scp_zcore_input *in;
    const struct scp_plane_kernels *plane;
    double *sums;   /* [parts][n] */
    float *scratch; /* [workers][n] */
    uint64_t seed;
    size_t draws;
    const struct scp_control *control;
};

/* Takes 1 from the neighbours of image h, together. */
static void penalise(const struct scp_plane_kernels *plane, double *sums, float *r, const float *a,
                     const float *b, size_t h, size_t n) {
    const float before = plane->distances(r, a, b, a[h], b[h], h);
    const float after = plane->distances(r + h + 1, a + h + 1, b + h + 1, a[h], b[h], n - h - 1);
    const float min = before < after ? before : after;
    r[h] = INFINITY;
    if (min > 0) {
        plane->subtract(sums, r, 1 / plane->shares(r, min, n), n);
        return;
    }
    size_t equal = 0;
    for (size_t i = 0; i < n; i++) equal += r[i] == 0;
    for (size_t i = 0; i < n; i++)
        if (r[i] == 0) sums[i] -= 1.0 / (double)equal;
}

static float triangular(const float shape[3], double u) {
    const double low = shape[0], mid = shape[1], high = shape[2], width = high - low;
    if (u * width < mid - low) return (float)(low + sqrt(u * width * (mid - low)));
    return (float)(high - sqrt((1 - u) * width * (high - mid)));
}

static void draw(const struct zcore *z, double *sums, float *scratch, size_t stream) {
    const struct scp_zcore_input *in = z->in;
    struct scp_rng rng;
    scp_rng_init(&rng, z->seed, stream);
    const size_t a = scp_rng_below(&rng, (uint32_t)in->d);
    size_t b = scp_rng_below(&rng, (uint32_t)in->d - 1);
    b += b >= a;
    const float pa = triangular(in->shape + 3 * a, scp_rng_uniform(&rng));
    const float pb = triangular(in->shape + 3 * b, scp_rng_uniform(&rng));
    const float *va = in->columns + a * in->n, *vb = in->columns + b * in->n;
    const size_t h = z->plane->nearest(va, vb, pa, pb, in->n);
    sums[h] += 1;
    if (in->n > 1) penalise(z->plane, sums, scratch, va, vb, h, in->n);
}

static enum scp_status run_part(void *context, size_t task, size_t worker) {
    const struct zcore *z = context;
    const size_t n = z->in->n, each = z->draws / SCP_ZCORE_PARTS, more = z->draws % SCP_ZCORE_PARTS;
    const size_t first = task * each + (task < more ? task : more);
    const size_t end = first + each + (task < more);
    for (size_t i = first; i < end; i++) {
        if ((i - first) % POLL == 0 && scp_poll(z->control, task, SCP_ZCORE_PARTS) != SCP_OK)
            return SCP_EINTERRUPTED;
        draw(z, z->sums + task * n, z->scratch + worker * n, i);
    }
    return SCP_OK;
}

enum scp_status scp_zcore(double *scores, const struct scp_zcore_input *input, uint64_t seed,
                          size_t draws, const struct scp_control *control) {
    if (input->d < 2 || input->d > UINT32_MAX)
        return scp_invalid(control, "columns", SCP_SHAPE, "must have 2 dimensions at least");
    if (input->n < 1 || input->n > UINT32_MAX)
        return scp_invalid(control, "columns", SCP_SHAPE, "must have 1 to 2^32 - 1 vectors");
    for (size_t i = 0; i < input->d; i++) {
        const float *s = input->shape + 3 * i;
        if (!(s[0] <= s[1] && s[1] <= s[2] && isfinite(s[0]) && isfinite(s[2])))
            return scp_invalid(control, "shape", i, "must ascend and be finite");
    }
    const size_t n = input->n, parts = SCP_ZCORE_PARTS;
    for (size_t i = 0; i < input->d * n; i++)
        if (!isfinite(input->columns[i]))
            return scp_invalid(control, "columns", i, "must be finite");
    enum scp_status status = SCP_ENOMEM;
    struct zcore z = {.in = input,
                      .plane = &scp_kernels()->plane,
                      .seed = seed,
                      .draws = draws,
                      .control = control};
    z.sums = scp_calloc(n, parts * sizeof *z.sums);
    z.scratch = scp_alloc(n, scp_threads() * sizeof *z.scratch);
    if (z.sums && z.scratch) status = scp_parallel(parts, run_part, &z, control);
    if (status == SCP_OK) memset(scores, 0, n * sizeof *scores);
    for (size_t part = 0; part < parts && status == SCP_OK; part++)
        for (size_t i = 0; i < n; i++) scores[i] += z.sums[part * n + i];
    scp_free(z.sums);
    scp_free(z.scratch);
    return status;
}
