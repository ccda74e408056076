/* From maps to landmarks: the pixels with the highest heat vote, by count or by weight. */
#include <math.h>
#include <string.h>

#include "scp/alloc.h"
#include "scp/refine.h"

#define SHIFTS 10 /* of the mean */

struct work {
    double *xy, *confidence;
    const float *values;
    size_t height, width, stride, landmarks, factor, candidates;
    const struct scp_voting *voting;
};

/* Grows with the float: the order of logits as the order of whole numbers. */
static uint32_t key_of(float value) {
    uint32_t bits;
    value += 0.0f; /* -0 is 0 */
    memcpy(&bits, &value, sizeof bits);
    return bits & 0x80000000u ? ~bits : bits | 0x80000000u;
}

/* picked[count], ascending: the pixels with the largest keys, ties to the first. Digit by digit,
 * the highest first, the key of the last one is found. */
static void largest(uint32_t *picked, size_t count, const uint32_t *keys, size_t n) {
    uint32_t prefix = 0, mask = 0;
    size_t ties = count; /* how many with the prefix are still to be taken */
    for (int shift = 24; shift >= 0; shift -= 8) {
        size_t histogram[256] = {0};
        for (size_t i = 0; i < n; i++)
            if ((keys[i] & mask) == prefix) histogram[keys[i] >> shift & 255]++;
        uint32_t digit = 255;
        while (histogram[digit] < ties) ties -= histogram[digit--];
        prefix |= digit << shift;
        mask |= 255u << shift;
    }
    for (size_t i = 0, at = 0; at < count; i++) {
        if (keys[i] < prefix || (keys[i] == prefix && ties == 0)) continue;
        if (keys[i] == prefix) ties--;
        picked[at++] = (uint32_t)i;
    }
}

static double at_image(const struct work *w, double pixel) {
    return (pixel + 0.5) * (double)w->factor - 0.5;
}

/* The cell of a vote, in pixels of the map; -1: outside. */
static ptrdiff_t cell_of(const struct work *w, double x, double y) {
    if (!(x >= 0 && y >= 0 && x < (double)w->width && y < (double)w->height)) return -1;
    return (ptrdiff_t)((size_t)y * w->width + (size_t)x);
}

static size_t first_largest(const double *sums, size_t n) {
    size_t best = 0;
    for (size_t i = 1; i < n; i++)
        if (sums[i] > sums[best]) best = i;
    return best;
}

static void count_votes(double xy[2], double *confidence, const struct work *w, double *sums,
                        const uint32_t *picked, size_t l) {
    const float radius = w->voting->radius / (float)w->factor;
    for (size_t k = 0; k < w->candidates; k++) {
        const float *v = w->values + picked[k] * w->stride + w->landmarks + l;
        const double x = (double)(picked[k] % w->width) + (double)truncf(v[0] * radius);
        const double y = (double)(picked[k] / w->width) + (double)truncf(v[w->landmarks] * radius);
        const ptrdiff_t cell = cell_of(w, x, y);
        if (cell >= 0) sums[cell] += 1;
    }
    const size_t best = first_largest(sums, w->height * w->width);
    if (!(sums[best] > 0)) return;
    xy[0] = at_image(w, (double)(best % w->width));
    xy[1] = at_image(w, (double)(best / w->width));
    *confidence = sums[best] / (double)w->candidates;
}

/* 1 2 1 along both axes */
static double neighbourhood(const struct work *w, const double *sums, size_t x, size_t y) {
    double sum = 0;
    for (size_t j = y > 0 ? y - 1 : 0; j <= y + 1 && j < w->height; j++)
        for (size_t i = x > 0 ? x - 1 : 0; i <= x + 1 && i < w->width; i++)
            sum += (double)((1 + (i == x)) * (1 + (j == y))) * sums[j * w->width + i];
    return sum;
}

/* log p of a logit */
static double log_p(float logit) {
    const double z = (double)logit;
    return (z < 0 ? z : 0) - log1p(exp(-fabs(z)));
}

static void weigh_votes(double xy[2], double *confidence, const struct work *w, double *sums,
                        double *votes, const uint32_t *picked, size_t l) {
    const double radius = (double)w->voting->radius;
    const double factor = (double)w->factor;
    const double window = fmax((double)w->voting->window, factor), narrow = 1 / (window * window);
    double top = -INFINITY, best = 0;
    size_t mode = 0;
    for (size_t k = 0; k < w->candidates; k++) {
        const double one = log_p(w->values[picked[k] * w->stride + l]);
        top = one > top ? one : top;
    }
    for (size_t k = 0; k < w->candidates; k++) { /* weights relative to the largest */
        const float *v = w->values + picked[k] * w->stride + l;
        double *vote = votes + 3 * k;
        vote[0] = at_image(w, (double)(picked[k] % w->width)) + radius * (double)v[w->landmarks];
        vote[1] =
            at_image(w, (double)(picked[k] / w->width)) + radius * (double)v[2 * w->landmarks];
        vote[2] = exp(log_p(v[0]) - top);
        const ptrdiff_t cell = cell_of(w, (vote[0] + 0.5) / factor, (vote[1] + 0.5) / factor);
        if (cell >= 0)
            sums[cell] += vote[2];
        else
            vote[2] = 0;
    }
    for (size_t y = 0; y < w->height; y++)
        for (size_t x = 0; x < w->width; x++) {
            const double sum = neighbourhood(w, sums, x, y);
            if (!(sum > best)) continue;
            best = sum;
            mode = y * w->width + x;
        }
    if (!(best > 0)) return;
    double x = at_image(w, (double)(mode % w->width)), y = at_image(w, (double)(mode / w->width));
    double total = 0;
    for (int shift = 0; shift < SHIFTS; shift++) {
        double sum = 0, sum_x = 0, sum_y = 0;
        for (size_t k = 0; k < w->candidates; k++) {
            const double *vote = votes + 3 * k, dx = vote[0] - x, dy = vote[1] - y;
            const double near = 1 - (dx * dx + dy * dy) * narrow;
            if (!(near > 0)) continue;
            sum += vote[2] * near;
            sum_x += vote[2] * near * vote[0];
            sum_y += vote[2] * near * vote[1];
        }
        if (!(sum > 0)) break;
        total = sum;
        x = sum_x / sum;
        y = sum_y / sum;
    }
    xy[0] = x;
    xy[1] = y;
    *confidence = total * exp(top) / (double)w->candidates;
}

static enum scp_status landmark(void *context, size_t l, size_t worker) {
    const struct work *w = context;
    const size_t pixels = w->height * w->width;
    enum scp_status status = SCP_ENOMEM;
    double xy[2], confidence = 0;
    (void)worker;
    uint32_t *keys = scp_alloc(pixels, sizeof *keys);
    uint32_t *picked = scp_alloc(w->candidates, sizeof *picked);
    double *sums = scp_calloc(pixels, sizeof *sums);
    double *votes = scp_alloc(w->candidates, 3 * sizeof *votes);
    if (!keys || !picked || !sums || !votes) goto done;
    size_t highest = 0;
    for (size_t i = 0; i < pixels; i++) {
        keys[i] = key_of(w->values[i * w->stride + l]);
        if (keys[i] > keys[highest]) highest = i;
    }
    xy[0] = at_image(w, (double)(highest % w->width));
    xy[1] = at_image(w, (double)(highest / w->width));
    largest(picked, w->candidates, keys, pixels);
    if (w->voting->kind == SCP_VOTE_COUNT)
        count_votes(xy, &confidence, w, sums, picked, l);
    else
        weigh_votes(xy, &confidence, w, sums, votes, picked, l);
    w->xy[2 * l] = xy[0];
    w->xy[2 * l + 1] = xy[1];
    w->confidence[l] = confidence;
    status = SCP_OK;
done:
    scp_free(keys);
    scp_free(picked);
    scp_free(sums);
    scp_free(votes);
    return status;
}

enum scp_status scp_refine_vote(double *xy, double *confidence, const struct scp_output *map,
                                size_t landmarks, size_t factor, const struct scp_voting *v,
                                const struct scp_control *control) {
    const size_t pixels = map->height * map->width;
    if (map->height == 0 || map->width == 0 || map->height > 1u << 15 || map->width > 1u << 15)
        return scp_invalid(control, "map", SCP_SHAPE, "must have 1 to 32768 pixels a side");
    if (landmarks == 0 || landmarks > SCP_REFINE_MAX_LANDMARKS || map->stride < 3 * landmarks)
        return scp_invalid(control, "map", SCP_SHAPE, "must have 3 channels per landmark");
    if ((unsigned)v->kind >= SCP_VOTES || v->candidates == 0 || factor == 0)
        return scp_invalid(control, "vote, candidates, factor", SCP_WHOLE, "must not be 0");
    if (!(v->radius > 0 && v->radius < INFINITY))
        return scp_invalid(control, "radius", SCP_WHOLE, "must be above 0, finite");
    if (!(v->window > 0 && v->window < INFINITY))
        return scp_invalid(control, "window", SCP_WHOLE, "must be above 0, finite");
    struct work w = {.xy = xy,
                     .confidence = confidence,
                     .values = map->values,
                     .height = map->height,
                     .width = map->width,
                     .stride = map->stride,
                     .landmarks = landmarks,
                     .factor = factor,
                     .candidates = v->candidates < pixels ? v->candidates : pixels,
                     .voting = v};
    return scp_parallel(landmarks, landmark, &w, control);
}
