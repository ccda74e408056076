/* One view: what was drawn for it, and its parts. Private to csrc/train. */
#ifndef SCP_TRAIN_VIEW_H
#define SCP_TRAIN_VIEW_H

#include <stddef.h>
#include <stdint.h>

#include "scp/random.h"
#include "scp/views.h"

#define FIELD_MAX_NODES 6

/* A smooth field on width x height pixels: nodes x nodes values from corner to corner, Catmull-Rom
 * in between, the outermost nodes repeated. */
struct field {
    size_t nodes, width, height;
    double value[FIELD_MAX_NODES][FIELD_MAX_NODES];
};

/* out[width]: row y. */
void field_row(float *out, const struct field *field, size_t y);
double field_at(const struct field *field, double x, double y);

struct view {
    size_t width, height;
    const float *strength; /* [SCP_TRANSFORMS] */
    uint64_t seed, noise_stream;
    /* source = base + matrix * o + elastic(o) */
    double matrix[2][2], base[2];
    struct field elastic[2];
    int warped; /* 0: source = base + o with whole numbers */
    float blur, brightness, contrast, gamma, noise;
    struct field multiply, add;
};

/* The view of a region with its corner at (left, top) of the image, with strength[SCP_TRANSFORMS]
 * (kept); `streams`: its transforms draw from this stream, its noise from the next. */
void view_draw(struct view *view, const float *strength, size_t width, size_t height, double left,
               double top, uint64_t seed, uint64_t streams);

/* Where pixel (x, y) of the view comes from. */
void view_source(double out[2], const struct view *view, double x, double y);
/* The pixel of the view that comes from (x, y). 0; -1: not found. */
int view_inverse(double out[2], const struct view *view, double x, double y);

/* out[height][width] from image[rows][columns]; scratch: 2 * width floats. */
void view_warp(float *out, float *scratch, const struct view *view, const float *image, size_t rows,
               size_t columns, int cubic, int replicate);

/* The photometric part, in place; scratch: (height + 2) * width floats. */
void view_photo(float *pixels, float *scratch, const struct view *view);

/* Normally distributed (Box and Muller). */
double view_normal(struct scp_rng *rng);

/* sources[batch], of the endless sequence of shuffled passes through `count` numbers: item i is
 * number i % count of the shuffled pass i / count. order[count]: scratch. */
void shuffled_passes(uint32_t *sources, uint32_t *order, size_t count, size_t batch, uint64_t seed,
                     uint64_t step);

#endif
