/* The fast Hessian of SURF: box filters on an integral image, three rows of responses per filter
 * size at a time; a maximum among its 27 neighbours is refined to the vertex of a quadratic. */
#include "scp/surf.h"

#include <math.h>

#include "scp/alloc.h"

#define MAX_PIXELS ((size_t)1 << 24) /* a side */
#define POLL_ROWS 64

/* One filter size of the octave at work, and three rows of its responses, row r in slot r % 3. */
struct layer {
    size_t lobe, half; /* half: pixels from the centre to the edge of the filter */
    double scale;      /* 1 / (5/3 lobe^2)^2 */
    double *rows[3];
};

struct found {
    struct scp_surf_point *points;
    size_t count, capacity;
};

static size_t lobe_of(unsigned octave, unsigned layer) {
    return ((size_t)2 << octave) * (layer + 1) + 1;
}

/* Sums over the rectangle above and left of each pixel, [height + 1][width + 1]; modulo 2^32,
 * which differences of them undo. */
static void integrate(uint32_t *sums, const uint8_t *image, size_t height, size_t width) {
    const size_t stride = width + 1;
    for (size_t x = 0; x <= width; x++) sums[x] = 0;
    for (size_t y = 0; y < height; y++) {
        const uint32_t *above = sums + y * stride;
        uint32_t *row = sums + (y + 1) * stride, sum = 0;
        row[0] = 0;
        for (size_t x = 0; x < width; x++) {
            sum += image[y * width + x];
            row[x + 1] = above[x + 1] + sum;
        }
    }
}

/* Sum of the pixels between two rows of the integral image and columns [x0, x1). */
static inline int64_t box(const uint32_t *top, const uint32_t *bottom, size_t x0, size_t x1) {
    return (int64_t)(uint32_t)(bottom[x1] - bottom[x0] - top[x1] + top[x0]);
}

/* Responses of one layer at row y, at columns step * i; zero where the filter leaves the image. */
static void respond(double *out, const struct layer *layer, const uint32_t *sums, size_t height,
                    size_t width, size_t y, size_t step) {
    const size_t lobe = layer->lobe, half = layer->half, stride = width + 1;
    const size_t samples = (width - 1) / step + 1;
    for (size_t i = 0; i < samples; i++) out[i] = 0.0;
    if (y < half || y + half >= height || width < 2 * half + 1) return;
    const size_t thin = (lobe - 1) / 2; /* a lobe across */
    const size_t wide = lobe - 1;       /* two lobes less one along */
    const size_t first = (half + step - 1) / step, last = (width - 1 - half) / step;
    const uint32_t *outer0 = sums + (y - half) * stride, *outer1 = sums + (y + half + 1) * stride;
    const uint32_t *thin0 = sums + (y - thin) * stride, *thin1 = sums + (y + thin + 1) * stride;
    const uint32_t *wide0 = sums + (y - wide) * stride, *wide1 = sums + (y + wide + 1) * stride;
    const uint32_t *quad0 = sums + (y - lobe) * stride, *quad1 = sums + y * stride;
    const uint32_t *quad2 = sums + (y + 1) * stride, *quad3 = sums + (y + lobe + 1) * stride;
    for (size_t i = first; i <= last; i++) {
        const size_t x = i * step;
        const int64_t xx = box(wide0, wide1, x - half, x + half + 1) -
                           3 * box(wide0, wide1, x - thin, x + thin + 1);
        const int64_t yy = box(outer0, outer1, x - wide, x + wide + 1) -
                           3 * box(thin0, thin1, x - wide, x + wide + 1);
        const int64_t xy = box(quad0, quad1, x - lobe, x) + box(quad2, quad3, x + 1, x + lobe + 1) -
                           box(quad0, quad1, x + 1, x + lobe + 1) - box(quad2, quad3, x - lobe, x);
        const double dxx = (double)xx, dyy = (double)yy, dxy = (double)xy;
        const double product = dxx * dyy;
        const double square = dxy * dxy;
        out[i] = (product - 0.81 * square) * layer->scale;
    }
}

/* Non-zero when v(layer, row, i) is the first of the largest among its 27. n[layer][row]. */
static int is_maximum(const double *const n[3][3], size_t i) {
    const double value = n[1][1][i];
    for (int k = 0; k < 3; k++)
        for (int r = 0; r < 3; r++)
            for (int c = 0; c < 3; c++) {
                const int place = 9 * k + 3 * r + c;
                if (place == 13) continue;
                const double other = n[k][r][i + (size_t)c - 1];
                if (place < 13 ? !(value > other) : !(value >= other)) return 0;
            }
    return 1;
}

/* Vertex of the quadratic through the neighbours, in samples from the centre: offset = (column,
 * row, layer). Non-zero when it lies within one sample. Cramer's rule. */
static int refine(double offset[3], const double *const n[3][3], size_t i) {
    const double v = n[1][1][i];
    const double gx = (n[1][1][i + 1] - n[1][1][i - 1]) * 0.5;
    const double gy = (n[1][2][i] - n[1][0][i]) * 0.5;
    const double gs = (n[2][1][i] - n[0][1][i]) * 0.5;
    const double xx = n[1][1][i + 1] + n[1][1][i - 1] - 2.0 * v;
    const double yy = n[1][2][i] + n[1][0][i] - 2.0 * v;
    const double ss = n[2][1][i] + n[0][1][i] - 2.0 * v;
    const double xy = (n[1][2][i + 1] - n[1][2][i - 1] - n[1][0][i + 1] + n[1][0][i - 1]) * 0.25;
    const double xs = (n[2][1][i + 1] - n[2][1][i - 1] - n[0][1][i + 1] + n[0][1][i - 1]) * 0.25;
    const double ys = (n[2][2][i] - n[2][0][i] - n[0][2][i] + n[0][0][i]) * 0.25;
    const double a = yy * ss - ys * ys, b = xs * ys - xy * ss, c = xy * ys - yy * xs;
    const double d = xx * ss - xs * xs, e = xy * xs - xx * ys, f = xx * yy - xy * xy;
    const double det = xx * a + xy * b + xs * c;
    if (!(det != 0.0)) return 0;
    offset[0] = -(a * gx + b * gy + c * gs) / det;
    offset[1] = -(b * gx + d * gy + e * gs) / det;
    offset[2] = -(c * gx + e * gy + f * gs) / det;
    return fabs(offset[0]) <= 1.0 && fabs(offset[1]) <= 1.0 && fabs(offset[2]) <= 1.0;
}

static enum scp_status append(struct found *found, const struct scp_surf_point *point) {
    if (found->count == found->capacity) {
        size_t capacity;
        if (scp_size_mul(found->capacity, 2, &capacity)) return SCP_ENOMEM;
        struct scp_surf_point *points = scp_alloc(capacity, sizeof *points);
        if (!points) return SCP_ENOMEM;
        for (size_t i = 0; i < found->count; i++) points[i] = found->points[i];
        scp_free(found->points);
        found->points = points;
        found->capacity = capacity;
    }
    found->points[found->count++] = *point;
    return SCP_OK;
}

/* Key points of row r (in samples) between three filled rows of every layer. */
static enum scp_status search_row(struct found *found, const struct layer *layers, unsigned inner,
                                  double threshold, size_t r, size_t height, size_t width,
                                  size_t step) {
    for (unsigned k = 1; k <= inner; k++) {
        const size_t margin = layers[k + 1].half + step, y = r * step;
        if (y < margin || y + margin >= height || width < 2 * margin + 1) continue;
        const double *n[3][3];
        for (unsigned a = 0; a < 3; a++)
            for (unsigned b = 0; b < 3; b++) n[a][b] = layers[k + a - 1].rows[(r + b + 2) % 3];
        const size_t first = (margin + step - 1) / step, last = (width - 1 - margin) / step;
        for (size_t i = first; i <= last; i++) {
            double offset[3];
            if (!(n[1][1][i] > threshold) || !is_maximum(n, i) || !refine(offset, n, i)) continue;
            const double grow = 3.0 * (double)(layers[k + 1].lobe - layers[k].lobe);
            const struct scp_surf_point point = {
                .x = (double)(i * step) + offset[0] * (double)step,
                .y = (double)y + offset[1] * (double)step,
                .side = 3.0 * (double)layers[k].lobe + offset[2] * grow,
                .response = n[1][1][i],
            };
            const enum scp_status status = append(found, &point);
            if (status != SCP_OK) return status;
        }
    }
    return SCP_OK;
}

static enum scp_status search_octave(struct found *found, struct layer *layers,
                                     const uint32_t *sums, size_t height, size_t width,
                                     unsigned octave, const struct scp_surf_options *options,
                                     const struct scp_control *control) {
    const size_t step = (size_t)1 << octave, rows = (height - 1) / step + 1;
    const unsigned count = options->octave_layers + 2;
    for (unsigned k = 0; k < count; k++) {
        layers[k].lobe = lobe_of(octave, k);
        layers[k].half = (3 * layers[k].lobe - 1) / 2;
        const double area = (double)(layers[k].lobe * layers[k].lobe) * 5.0 / 3.0;
        layers[k].scale = 1.0 / (area * area);
    }
    for (size_t r = 0; r < rows; r++) {
        enum scp_status status = r % POLL_ROWS == 0 ? scp_poll(control, r, rows) : SCP_OK;
        if (status != SCP_OK) return status;
        for (unsigned k = 0; k < count; k++)
            respond(layers[k].rows[r % 3], &layers[k], sums, height, width, r * step, step);
        if (r < 2) continue;
        status = search_row(found, layers, options->octave_layers, options->threshold, r - 1,
                            height, width, step);
        if (status != SCP_OK) return status;
    }
    return SCP_OK;
}

static enum scp_status check(size_t height, size_t width, const struct scp_surf_options *options,
                             const struct scp_control *control) {
    if (height < 1 || width < 1 || height > MAX_PIXELS || width > MAX_PIXELS)
        return scp_invalid(control, "image", SCP_SHAPE, "must have sides from 1 to 2^24");
    if (!(options->threshold >= 0.0 && options->threshold < INFINITY))
        return scp_invalid(control, "threshold", SCP_WHOLE, "must be finite and >= 0");
    if (options->octaves < 1 || options->octaves > 10)
        return scp_invalid(control, "octaves", SCP_WHOLE, "must be from 1 to 10");
    if (options->octave_layers < 1 || options->octave_layers > 1000 ||
        3 * lobe_of(options->octaves - 1, options->octave_layers + 1) > SCP_SURF_MAX_SIDE)
        return scp_invalid(control, "octave_layers", SCP_WHOLE,
                           "must be above 0, and filters at most 4095 pixels wide");
    return SCP_OK;
}

enum scp_status scp_surf_detect(struct scp_surf_point **points, size_t *count, const uint8_t *image,
                                size_t height, size_t width, const struct scp_surf_options *options,
                                const struct scp_control *control) {
    enum scp_status status = check(height, width, options, control);
    if (status != SCP_OK) return status;
    status = SCP_ENOMEM;
    const unsigned layer_count = options->octave_layers + 2;
    struct found found = {.points = scp_alloc(256, sizeof *found.points), .capacity = 256};
    struct layer *layers = scp_calloc(layer_count, sizeof *layers);
    uint32_t *sums = NULL;
    double *responses = NULL;
    size_t pixels, values;
    if (!found.points || !layers) goto done;
    if (scp_size_mul(height + 1, width + 1, &pixels)) goto done;
    if (scp_size_mul(3 * (size_t)layer_count, width, &values)) goto done;
    sums = scp_alloc(pixels, sizeof *sums);
    responses = scp_alloc(values, sizeof *responses);
    if (!sums || !responses) goto done;
    for (unsigned k = 0; k < layer_count; k++)
        for (unsigned slot = 0; slot < 3; slot++)
            layers[k].rows[slot] = responses + (3 * (size_t)k + slot) * width;
    integrate(sums, image, height, width);
    status = SCP_OK;
    for (unsigned octave = 0; octave < options->octaves && status == SCP_OK; octave++)
        status = search_octave(&found, layers, sums, height, width, octave, options, control);
done:
    scp_free(responses);
    scp_free(sums);
    scp_free(layers);
    if (status != SCP_OK) {
        scp_free(found.points);
        return status;
    }
    *points = found.points;
    *count = found.count;
    return SCP_OK;
}
