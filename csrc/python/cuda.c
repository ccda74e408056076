/* scp._core: the CUDA plug-in (scp/cuda.h): opening it, its devices, and similarity on one. */
#include "args.h"

#include "scp/cuda.h"

static PyObject *no_cuda(void) {
    return PyErr_Format(PyExc_OSError, "%s", scp_cuda_reason());
}

static PyObject *open_cuda(struct scp_args *in) {
    return scp_cuda_open(DATA(path)) == SCP_OK ? Py_NewRef(Py_None) : no_cuda();
}
MAKER(cuda_open, "Open the CUDA plug-in; OSError says why it cannot be.", TEXT("path"),
      MADE("opened", open_cuda, "None"))

static PyObject *list_devices(struct scp_args *in) {
    const struct scp_cuda_table *cuda = scp_cuda();
    if (!cuda) return no_cuda();
    int count;
    const char *why;
    Py_BEGIN_ALLOW_THREADS;
    why = cuda->devices(&count);
    Py_END_ALLOW_THREADS;
    if (why) return PyErr_Format(PyExc_OSError, "%s", why);
    PyObject *list = PyList_New(0);
    for (int i = 0; list && i < count; i++) {
        struct scp_cuda_device d;
        const enum scp_status status = cuda->describe(&d, i);
        scp_py_append(&list, status == SCP_OK ? Py_BuildValue("siiin", d.name, d.major, d.minor,
                                                              d.processors, (Py_ssize_t)d.memory)
                                              : scp_args_raise(in, status));
    }
    return list;
}
MAKER(cuda_devices, "The devices; OSError says why there is none.",
      MADE("devices", list_devices,
           "list[tuple[str, int, int, int, int]]: name, major, minor, "
           "processors, bytes"))

TYPE(scp_py_matcher, scp_device_matcher_free, "Matcher", "Queries on a CUDA device.",
     "queries levels channels cells")

FUNCTION(cuda_matcher, "Queries on a device, for cuda_match (scp/cuda.h).",
         ARRAY("queries", float32, "[queries][levels][channels]", .flags = KEEP),
         ARRAY("query_norms", float32, "[queries][levels]", .flags = KEEP),
         COUNT("height", 1, 65535, .note = "of the coarsest level, as width"),
         COUNT("width", 1, 65535), COUNT("device", 0, INT_MAX), FLAG("bilinear", DEFAULT(0)),
         REAL("epsilon", DEFAULT(1e-3)),
         COUNT("max_memory", 0, PY_SSIZE_T_MAX, DEFAULT(0x1p62), .note = "bytes on the device"),
         NEW(&scp_py_matcher)) {
    const struct scp_grid grid = {SIZE(levels), SIZE(channels), SIZE(height), SIZE(width)};
    const struct scp_cuda_queries queries = {DATA(queries), DATA(query_norms), SIZE(queries)};
    const struct scp_match_options options = {.mode = SIZE(bilinear) ? SCP_BILINEAR : SCP_NEAREST,
                                              .epsilon = (float)NUMBER(epsilon)};
    const enum scp_status status = scp_device_matcher_create(
        TO(object), (int)SIZE(device), &grid, &queries, &options, SIZE(max_memory), in->control);
    if (status == SCP_OK) *(size_t *)TO(cells) = scp_grid_offset(&grid, grid.levels);
    return status;
}

FUNCTION(cuda_match, "The best match of every query in every image of the tuples.",
         OBJECT("matcher", &scp_py_matcher),
         ARRAYS("features", float32, "[images][cells][channels]"),
         ARRAYS("norms", float32, "[images][cells]"), PROGRESS,
         OUT("value", float32, "[images][queries]"), OUT("index", int32, "[images][queries]")) {
    return scp_device_matcher_run(DATA(matcher), DATA(value), DATA(index), DATA(features),
                                  DATA(norms), SIZE(images), in->control);
}
