/* Views of faces: a mirror and an affine map about the centre, one bilinear interpolation, black
 * outside; the landmarks go the same way forward. */
#include <math.h>

#include "scp/alloc.h"
#include "scp/faces.h"
#include "scp/random.h"
#include "view.h"

#define FACES_KEY 0x5343505f46414345u
#define DEGREE 0.017453292519943295

struct drawn {
    double matrix[2][2], inverse[2][2], move[2], centre, corner;
    int mirrored, plain; /* plain: the affine map is the identity */
};

static double spread(struct scp_rng *rng, double max) {
    return (2 * scp_rng_uniform(rng) - 1) * max;
}

static void draw(struct drawn *d, const struct scp_face_view_options *o, size_t from, size_t side,
                 uint64_t seed, uint64_t stream) {
    struct scp_rng rng;
    scp_rng_init(&rng, seed ^ FACES_KEY, stream);
    d->mirrored = scp_rng_uniform(&rng) < o->flip;
    const double angle = spread(&rng, o->rotate) * DEGREE;
    for (int axis = 0; axis < 2; axis++) d->move[axis] = spread(&rng, o->move * (double)side);
    const double x = 1 - o->shrink + scp_rng_uniform(&rng) * (o->shrink + o->grow);
    const double y = 1 - o->shrink + scp_rng_uniform(&rng) * (o->shrink + o->grow);
    const double slant = tan(spread(&rng, o->shear) * DEGREE);
    const double c = cos(angle), s = sin(angle);
    double (*m)[2] = d->matrix;
    m[0][0] = c * x, m[0][1] = (c * slant - s) * y;
    m[1][0] = s * x, m[1][1] = (s * slant + c) * y;
    const double determinant = x * y;
    d->inverse[0][0] = m[1][1] / determinant, d->inverse[0][1] = -m[0][1] / determinant;
    d->inverse[1][0] = -m[1][0] / determinant, d->inverse[1][1] = m[0][0] / determinant;
    d->centre = ((double)from - 1) / 2;
    d->corner = (double)((from - side) / 2);
    d->plain = !(o->rotate > 0 || o->move > 0 || o->shrink > 0 || o->grow > 0 || o->shear > 0);
}

struct work {
    struct scp_face_batch *batch;
    const struct scp_faces *faces;
    const struct drawn *drawn; /* [items] */
};

/* Three channels at (x, y) of the picture, 0 .. 255. */
static void pixel(float out[SCP_FACE_CHANNELS], const uint8_t *image, size_t side, double x,
                  double y) {
    const double last = (double)side;
    for (int c = 0; c < SCP_FACE_CHANNELS; c++) out[c] = 0;
    if (!(x > -1 && y > -1 && x < last && y < last)) return;
    const double fx = floor(x), fy = floor(y);
    const ptrdiff_t i = (ptrdiff_t)fx, j = (ptrdiff_t)fy;
    const float u = (float)(x - fx), v = (float)(y - fy);
    for (ptrdiff_t k = 0; k < 4; k++) {
        const ptrdiff_t column = i + k % 2, row = j + k / 2;
        if (column < 0 || row < 0 || column >= (ptrdiff_t)side || row >= (ptrdiff_t)side) continue;
        const float weight = (k % 2 ? u : 1 - u) * (k / 2 ? v : 1 - v);
        const uint8_t *from = image + ((size_t)row * side + (size_t)column) * SCP_FACE_CHANNELS;
        for (int c = 0; c < SCP_FACE_CHANNELS; c++) out[c] += weight * (float)from[c];
    }
}

static enum scp_status sample_row(void *context, size_t task, size_t worker) {
    static const double means[SCP_FACE_CHANNELS] = SCP_FACE_MEANS;
    const struct work *w = context;
    const size_t side = w->batch->side, from = w->faces->side;
    const size_t item = task / side, row = task % side;
    const struct drawn *d = w->drawn + item;
    const uint8_t *image =
        w->faces->images + w->batch->sources[item] * from * from * SCP_FACE_CHANNELS;
    float *out = w->batch->images + task * side * SCP_FACE_CHANNELS;
    (void)worker;
    for (size_t column = 0; column < side; column++, out += SCP_FACE_CHANNELS) {
        double x = (double)column + d->corner, y = (double)row + d->corner;
        if (!d->plain) {
            const double dx = x - d->centre - d->move[0], dy = y - d->centre - d->move[1];
            x = d->centre + d->inverse[0][0] * dx + d->inverse[0][1] * dy;
            y = d->centre + d->inverse[1][0] * dx + d->inverse[1][1] * dy;
        }
        if (d->mirrored) x = (double)from - 1 - x;
        pixel(out, image, from, x, y);
        for (int c = 0; c < SCP_FACE_CHANNELS; c++) out[c] = out[c] / 255 - (float)means[c];
    }
    return SCP_OK;
}

static void place(const struct work *w, const struct scp_face_labels *labels, size_t item) {
    const struct drawn *d = w->drawn + item;
    const size_t source = w->batch->sources[item] * labels->landmarks;
    for (size_t l = 0; l < labels->landmarks; l++) {
        const size_t swap = d->mirrored ? labels->swaps[l] : l; /* checked, but not ours */
        const size_t from = source + (swap < labels->landmarks ? swap : l);
        double x = (double)labels->points[2 * from], y = (double)labels->points[2 * from + 1];
        if (d->mirrored) x = (double)w->faces->side - 1 - x;
        if (!d->plain) {
            const double dx = x - d->centre, dy = y - d->centre;
            x = d->centre + d->move[0] + d->matrix[0][0] * dx + d->matrix[0][1] * dy;
            y = d->centre + d->move[1] + d->matrix[1][0] * dx + d->matrix[1][1] * dy;
        }
        float *out = w->batch->points + 2 * (item * labels->landmarks + l);
        out[0] = (float)fmax(x - d->corner, 0);
        out[1] = (float)fmax(y - d->corner, 0);
    }
}

enum scp_status scp_faces_check(const struct scp_faces *faces, const struct scp_face_labels *labels,
                                size_t side, const struct scp_control *control) {
    size_t numbers;
    if (faces->count == 0 || faces->count > UINT32_MAX)
        return scp_invalid(control, "faces", SCP_SHAPE, "must be at least one");
    if (side == 0 || faces->side < side || faces->side > SCP_FACE_MAX_SIDE)
        return scp_invalid(control, "faces", SCP_SHAPE,
                           "must have sides from that of the view to 4096 pixels");
    if (scp_size_mul(faces->side * faces->side * SCP_FACE_CHANNELS, faces->count, &numbers))
        return SCP_ENOMEM;
    if (!labels) return SCP_OK;
    const size_t landmarks = labels->landmarks;
    if (landmarks == 0 || landmarks > SCP_FACE_MAX_LANDMARKS)
        return scp_invalid(control, "points", SCP_SHAPE, "must have 1 to 1024 landmarks");
    for (size_t i = 0; i < faces->count * landmarks * 2; i++)
        if (!isfinite(labels->points[i]))
            return scp_invalid(control, "points", i, "must be finite");
    for (size_t l = 0; l < landmarks; l++)
        if (labels->swaps[l] >= landmarks || labels->swaps[labels->swaps[l]] != l)
            return scp_invalid(control, "swaps", l, "must name a landmark that names it");
    return SCP_OK;
}

/* One face of the endless sequence for each item; a batch of a full pass begins anew. */
static void choose(struct scp_face_batch *batch, uint32_t *order, size_t count, uint64_t seed,
                   uint64_t step) {
    const uint64_t batches = count / batch->items;
    for (size_t i = 0; i < batch->items; i++) {
        uint64_t number = step * batch->items + i;
        if (batches > 0) number = step / batches * count + step % batches * batch->items + i;
        shuffled_passes(batch->sources + i, order, count, 1, seed, number);
    }
}

enum scp_status scp_face_sample(struct scp_face_batch *batch, const struct scp_faces *faces,
                                const struct scp_face_labels *labels,
                                const struct scp_face_view_options *options, uint64_t seed,
                                uint64_t step, const struct scp_control *control) {
    enum scp_status status = scp_faces_check(faces, labels, batch->side, control);
    if (status != SCP_OK) return status;
    uint32_t *order = scp_alloc(faces->count, sizeof *order);
    struct drawn *drawn = scp_alloc(batch->items, sizeof *drawn);
    struct work w = {batch, faces, drawn};
    status = SCP_ENOMEM;
    if (!order || !drawn) goto done;
    choose(batch, order, faces->count, seed, step);
    for (size_t i = 0; i < batch->items; i++) {
        draw(drawn + i, options, faces->side, batch->side, seed, step * batch->items + i);
        if (labels) place(&w, labels, i);
    }
    status = scp_parallel(batch->items * batch->side, sample_row, &w, control);
done:
    scp_free(order);
    scp_free(drawn);
    return status;
}
