/* Convolution against the sum that its header states, on every instruction set: the shapes that
 * tests/core/test_conv.py leaves to chance are few, what counts here are sanitizers and other CPUs.
 */
#include "test.h"

#include <math.h>
#include <stdlib.h>

#include "../../csrc/kernels/kernels.h"
#include "../../csrc/nn/conv.h"
#include "scp/alloc.h"
#include "scp/cpu.h"

static uint64_t state = 1;

static float draw(void) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (float)((double)(state >> 40) / 8388608.0 - 1.0);
}

static float *filled(size_t count) {
    float *a = scp_alloc(count, sizeof *a);
    for (size_t i = 0; a && i < count; i++) a[i] = draw();
    return a;
}

static struct scp_map map_of(float *data, size_t batch, size_t height, size_t width,
                             size_t channels) {
    return (struct scp_map){data, batch, height, width, channels, scp_lanes_up(channels), 0};
}

static size_t floats_of(const struct scp_map *map) {
    return map->batch * map->height * map->width * map->stride;
}

/* Adds w * x to y, w * dy to dz and x * dy to dw for every product of the convolution. */
static void sums(double *y, double *dz, double *dw, const struct scp_map *x,
                 const struct scp_map *dy, const float *w, const struct scp_conv *c) {
    const struct scp_map *dense = c->transposed ? dy : x, *coarse = c->transposed ? x : dy;
    for (size_t b = 0; b < x->batch; b++)
        for (size_t i = 0; i < coarse->height; i++)
            for (size_t j = 0; j < coarse->width; j++)
                for (size_t u = 0; u < c->kernel_y; u++)
                    for (size_t v = 0; v < c->kernel_x; v++) {
                        const size_t p = i * c->stride + u * c->dilation - c->pad_y;
                        const size_t q = j * c->stride + v * c->dilation - c->pad_x;
                        if (p >= dense->height || q >= dense->width) continue; /* wraps below 0 */
                        const size_t at = (b * dense->height + p) * dense->width + q;
                        const size_t to = (b * coarse->height + i) * coarse->width + j;
                        const size_t xi = (c->transposed ? to : at) * x->stride;
                        const size_t yi = (c->transposed ? at : to) * dy->stride;
                        const size_t tap = (u * c->kernel_x + v) * c->in * c->out;
                        for (size_t k = 0; k < c->in; k++)
                            for (size_t o = 0; o < c->out; o++) {
                                const size_t wi = tap + k * c->out + o;
                                y[yi + o] += (double)w[wi] * (double)x->data[xi + k];
                                dz[xi + k] += (double)w[wi] * (double)dy->data[yi + o];
                                dw[wi] += (double)x->data[xi + k] * (double)dy->data[yi + o];
                            }
                    }
}

static int near(const float *got, const double *expected, size_t count, double limit) {
    for (size_t i = 0; i < count; i++)
        if (!(fabs((double)got[i] - expected[i]) <= limit)) return 0;
    return 1;
}

static void check(const struct scp_conv *c, size_t batch, size_t height, size_t width) {
    size_t out_height, out_width;
    scp_conv_size(&out_height, &out_width, c, height, width);
    struct scp_map x = map_of(NULL, batch, height, width, c->in), z = x;
    struct scp_map y = map_of(NULL, batch, out_height, out_width, c->out), dy = y;
    const size_t nx = floats_of(&x), ny = floats_of(&y);
    const size_t taps = (size_t)c->kernel_y * c->kernel_x, nw = taps * c->in * c->out;
    const double rounding = 1e-4; /* of a sum of Winograd, for one term of a size up to 1 */
    float *w = filled(nw), *dw = scp_calloc(nw, sizeof *dw), *bias = scp_calloc(c->out, 4);
    double *ey = scp_calloc(ny, 8), *ez = scp_calloc(nx, 8), *ew = scp_calloc(nw, 8);
    const struct scp_run run = {
        scp_alloc(scp_conv_workspace(c, batch, height, width, 1, scp_threads()), sizeof(float)),
        NULL};
    x.data = filled(nx);
    dy.data = filled(ny);
    y.data = filled(ny);
    z.data = filled(nx);
    for (size_t i = 0; i < nx; i++) x.data[i] = i % x.stride < c->in ? x.data[i] : 0;
    for (size_t i = 0; i < ny; i++) dy.data[i] = i % dy.stride < c->out ? dy.data[i] : 0;
    sums(ey, ez, ew, &x, &dy, w, c);
    const struct scp_source values = {.map = x}, gradient = {.map = dy};
    CHECK(scp_conv_forward(&y, &values, w, NULL, c, &run) == SCP_OK);
    CHECK(near(y.data, ey, ny, rounding * sqrt((double)(taps * c->in))));
    CHECK(scp_conv_backward_data(&z, 0, &gradient, w, c, &run) == SCP_OK);
    CHECK(near(z.data, ez, nx, rounding * sqrt((double)(taps * c->out))));
    CHECK(scp_conv_backward_weights(dw, bias, &values, &gradient, c, &run) == SCP_OK);
    CHECK(near(dw, ew, nw, 4e-3));
    double expected = 0;
    for (size_t i = 0; i < ny; i += dy.stride) expected += (double)dy.data[i];
    CHECK(fabs((double)bias[0] - expected) <= 1e-3);
    void *all[] = {w, dw, bias, ey, ez, ew, run.workspace, x.data, dy.data, y.data, z.data};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) scp_free(all[i]);
}

static void every_form_on_every_set(void) {
    static const struct scp_conv convs[] = {
        {16, 16, 1, 1, 1, 1, 0, 0, 0},   {16, 20, 3, 3, 1, 1, 1, 1, 0},
        {5, 33, 3, 3, 1, 1, 1, 0, 0},    {3, 16, 7, 7, 2, 1, 3, 3, 0},
        {16, 16, 3, 3, 1, 2, 2, 2, 0},   {16, 18, 1, 3, 1, 1, 0, 1, 0},
        {16, 16, 3, 3, 2, 2, 1, 2, 0},   {16, 32, 2, 2, 2, 1, 0, 0, 1},
        {20, 16, 3, 3, 1, 1, 1, 1, 1},   {48, 176, 3, 3, 1, 1, 1, 1, 0},
        {370, 356, 3, 3, 1, 1, 1, 1, 0},
    };
    for (int isa = 0; isa < (int)SCP_ISA_COUNT; isa++) {
        if (scp_isa_set(scp_isa_name((enum scp_isa)isa)) != SCP_OK) continue;
        for (size_t i = 0; i < sizeof convs / sizeof *convs; i++) {
            check(&convs[i], 2, 9, 14);
            check(&convs[i], 3, 4, 5);
        }
    }
    scp_isa_set(NULL);
}

static void absurd_sizes_have_no_workspace(void) {
    const struct scp_conv conv = {64, 64, 3, 3, 1, 1, 1, 1, 0};
    CHECK(scp_conv_workspace(&conv, (size_t)1 << 40, 1 << 20, 1 << 20, 1, 2) == SIZE_MAX);
    CHECK(scp_conv_workspace(&conv, 1, 8, 8, 1, 2) < SIZE_MAX);
}

static void panels_are_packed_on_every_set(void) {
    enum { ROWS = 37, COLUMNS = 37, PANELS = 3 };
    float from[ROWS * COLUMNS], to[ROWS * 16];
    for (size_t i = 0; i < ROWS * COLUMNS; i++) from[i] = (float)i + 1;
    for (int isa = 0; isa < (int)SCP_ISA_COUNT; isa++) {
        if (scp_isa_set(scp_isa_name((enum scp_isa)isa)) != SCP_OK) continue;
        const struct scp_maps_kernels *maps = &scp_kernels()->maps;
        for (size_t panel = 0; panel < PANELS; panel++)
            for (int transposed = 0; transposed < 2; transposed++) {
                (transposed ? maps->pack_transposed : maps->pack)(to, from, ROWS, COLUMNS, panel);
                for (size_t i = 0; i < ROWS * 16; i++) {
                    const size_t row = i / 16, column = panel * 16 + i % 16;
                    const size_t at = transposed ? column * ROWS + row : row * COLUMNS + column;
                    CHECK(to[i] == (column < COLUMNS ? from[at] : 0));
                }
            }
    }
    scp_isa_set(NULL);
}

int main(void) {
    RUN(panels_are_packed_on_every_set);
    RUN(every_form_on_every_set);
    RUN(absurd_sizes_have_no_workspace);
    return test_end();
}
