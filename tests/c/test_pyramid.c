/* Vectors of a map become unit vectors with their lengths, whatever the stride. */
#include "scp/pyramid.h"

#include <math.h>
#include <stdint.h>

#include "test.h"

#define CELLS 2500
#define STRIDE 24
#define WIDTH 32

static float map[CELLS * STRIDE], features[CELLS * WIDTH], norms[CELLS];

static void fill(void) {
    uint32_t state = 1;
    for (size_t i = 0; i < CELLS * STRIDE; i++) {
        state = state * 1664525u + 1013904223u;
        map[i] = (float)(state >> 8) / (float)(1 << 24) - 0.5f;
    }
    for (size_t c = 0; c < STRIDE; c++) map[7 * STRIDE + c] = 0;
}

static void normalises(void) {
    for (size_t channels = 1; channels <= STRIDE; channels += 5) {
        fill();
        for (size_t i = 0; i < CELLS * WIDTH; i++) features[i] = NAN;
        CHECK(scp_pyramid_pack(features, norms, map, CELLS, channels, STRIDE, WIDTH, NULL) ==
              SCP_OK);
        for (size_t i = 0; i < CELLS; i++) {
            double squares = 0, error = 0, rest = 0;
            for (size_t c = 0; c < channels; c++)
                squares += (double)map[i * STRIDE + c] * map[i * STRIDE + c];
            const double norm = sqrt(squares);
            for (size_t c = 0; c < WIDTH; c++) {
                const double value = features[i * WIDTH + c];
                if (c < channels && norm > 0)
                    error = fmax(error, fabs(value * norm - map[i * STRIDE + c]));
                else
                    rest += fabs(value);
            }
            CHECK(fabs(norms[i] - norm) <= 1e-6 && error <= 1e-6 && rest <= 0);
        }
    }
}

static void refuses(void) {
    fill();
    CHECK(scp_pyramid_pack(features, norms, map, CELLS, STRIDE + 1, STRIDE, WIDTH, NULL) ==
          SCP_EINVAL);
    CHECK(scp_pyramid_pack(features, norms, map, CELLS, STRIDE, STRIDE, STRIDE - 1, NULL) ==
          SCP_EINVAL);
    map[CELLS * STRIDE - 1] = NAN;
    CHECK(scp_pyramid_pack(features, norms, map, CELLS, STRIDE, STRIDE, WIDTH, NULL) == SCP_EINVAL);
    CHECK(scp_pyramid_pack(features, norms, map, CELLS, STRIDE - 1, STRIDE, WIDTH, NULL) == SCP_OK);
    map[STRIDE] = INFINITY;
    CHECK(scp_pyramid_pack(features, norms, map, CELLS, 1, STRIDE, WIDTH, NULL) == SCP_EINVAL);
    CHECK(scp_pyramid_pack(features, norms, map, 0, 1, STRIDE, WIDTH, NULL) == SCP_OK);
}

static int stop(void *data, size_t done, size_t total) {
    (void)data, (void)done, (void)total;
    return 1;
}

static void stops_when_asked(void) {
    const struct scp_control control = {.poll = stop};
    fill();
    CHECK(scp_threads_set(1) == SCP_OK); /* or a quick thread may do it all before the first poll */
    CHECK(scp_pyramid_pack(features, norms, map, CELLS, STRIDE, STRIDE, WIDTH, &control) ==
          SCP_EINTERRUPTED);
}

int main(void) {
    RUN(normalises);
    RUN(refuses);
    RUN(stops_when_asked);
    return test_end();
}
