// A PJRT plug-in for the tests of the runner: it keeps buffers and refuses those that are gone, as a real one does, and asks the
// test's process, over two pipes that FAKE_PJRT names, to compile and to run. Only what go-xla calls is here.

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pjrt_c_api.h"

struct PJRT_Error { char text[512]; };
struct PJRT_Event { int unused; };
struct PJRT_Client { int unused; };
struct PJRT_Device { int unused; };
struct PJRT_DeviceDescription { int unused; };
struct PJRT_Executable { int64_t outputs; };
struct PJRT_LoadedExecutable { int64_t id, outputs; };
struct PJRT_Buffer { int64_t rank, dims[8], size; char* data; bool gone; };

static PJRT_Event event;
static PJRT_Client client;
static PJRT_Device device, *devices[] = {&device};
static PJRT_DeviceDescription description;
static int from, to;

static PJRT_Error* failure(const char* text) {
  PJRT_Error* e = calloc(1, sizeof *e);
  snprintf(e->text, sizeof e->text, "%s", text);
  return e;
}

static void put(const void* p, size_t n) {
  for (ssize_t k; n > 0; p = (const char*)p + k, n -= k)
    if ((k = write(to, p, n)) <= 0) abort();
}

static void get(void* p, size_t n) {
  for (ssize_t k; n > 0; p = (char*)p + k, n -= k)
    if ((k = read(from, p, n)) <= 0) abort();
}

static void number(int64_t n) { put(&n, sizeof n); }

// answer is a number, or an error of the length that it says below zero.
static int64_t answer(PJRT_Error** e) {
  int64_t n;
  get(&n, sizeof n);
  if (n < 0) {
    char* text = calloc(1, 1 - n);
    get(text, -n);
    *e = failure(text);
    free(text);
  }
  return n;
}

static PJRT_Buffer* new_buffer(int64_t rank, const int64_t* dims) {
  PJRT_Buffer* b = calloc(1, sizeof *b);
  b->rank = rank;
  b->size = 4;
  for (int64_t i = 0; i < rank; i++) b->size *= b->dims[i] = dims[i];
  b->data = malloc(b->size);
  return b;
}

static void error_destroy(PJRT_Error_Destroy_Args* a) { free(a->error); }
static void error_message(PJRT_Error_Message_Args* a) {
  a->message = a->error->text;
  a->message_size = strlen(a->error->text);
}
static PJRT_Error* error_code(PJRT_Error_GetCode_Args* a) { a->code = PJRT_Error_Code_INTERNAL; return NULL; }
static PJRT_Error* initialize(PJRT_Plugin_Initialize_Args* a) { return NULL; }
static PJRT_Error* attributes(PJRT_Plugin_Attributes_Args* a) { a->num_attributes = 0; return NULL; }
static PJRT_Error* event_destroy(PJRT_Event_Destroy_Args* a) { return NULL; }
static PJRT_Error* event_await(PJRT_Event_Await_Args* a) { return NULL; }

static PJRT_Error* client_create(PJRT_Client_Create_Args* a) {
  const char* pipes = getenv("FAKE_PJRT");
  if (!pipes) return failure("no card is in this machine");
  sscanf(pipes, "%d,%d", &from, &to);
  a->client = &client;
  return NULL;
}
static PJRT_Error* client_destroy(PJRT_Client_Destroy_Args* a) { return NULL; }
static PJRT_Error* platform_name(PJRT_Client_PlatformName_Args* a) {
  a->platform_name = "fake";
  a->platform_name_size = 4;
  return NULL;
}
static PJRT_Error* platform_version(PJRT_Client_PlatformVersion_Args* a) {
  a->platform_version = "1";
  a->platform_version_size = 1;
  return NULL;
}
static PJRT_Error* process_index(PJRT_Client_ProcessIndex_Args* a) { a->process_index = 0; return NULL; }
static PJRT_Error* addressable(PJRT_Client_AddressableDevices_Args* a) {
  a->addressable_devices = devices;
  a->num_addressable_devices = 1;
  return NULL;
}
static PJRT_Error* hardware_id(PJRT_Device_LocalHardwareId_Args* a) { a->local_hardware_id = 0; return NULL; }
static PJRT_Error* is_addressable(PJRT_Device_IsAddressable_Args* a) { a->is_addressable = true; return NULL; }
static PJRT_Error* get_description(PJRT_Device_GetDescription_Args* a) { a->device_description = &description; return NULL; }
static PJRT_Error* description_process(PJRT_DeviceDescription_ProcessIndex_Args* a) { a->process_index = 0; return NULL; }
static PJRT_Error* debug_string(PJRT_DeviceDescription_DebugString_Args* a) {
  a->debug_string = "a card of the tests";
  a->debug_string_size = strlen(a->debug_string);
  return NULL;
}

static PJRT_Error* compile(PJRT_Client_Compile_Args* a) {
  PJRT_Error* e = NULL;
  if (a->program->format_size != 4 || memcmp(a->program->format, "mlir", 4)) return failure("the program is no MLIR");
  put("C", 1);
  number(a->program->code_size);
  put(a->program->code, a->program->code_size);
  int64_t id = answer(&e);
  if (e) return e;
  a->executable = calloc(1, sizeof *a->executable);
  a->executable->id = id;
  a->executable->outputs = answer(&e);
  return e;
}
static PJRT_Error* get_executable(PJRT_LoadedExecutable_GetExecutable_Args* a) {
  a->executable = calloc(1, sizeof *a->executable);
  a->executable->outputs = a->loaded_executable->outputs;
  return NULL;
}
static PJRT_Error* loaded_destroy(PJRT_LoadedExecutable_Destroy_Args* a) { free(a->executable); return NULL; }
static PJRT_Error* executable_destroy(PJRT_Executable_Destroy_Args* a) { free(a->executable); return NULL; }
static PJRT_Error* executable_name(PJRT_Executable_Name_Args* a) {
  a->executable_name = "program";
  a->executable_name_size = 7;
  return NULL;
}
static PJRT_Error* num_outputs(PJRT_Executable_NumOutputs_Args* a) { a->num_outputs = a->executable->outputs; return NULL; }
static PJRT_Error* memory_stats(PJRT_Executable_GetCompiledMemoryStats_Args* a) {
  a->temp_size_in_bytes = 4096;
  return NULL;
}

static PJRT_Error* from_host(PJRT_Client_BufferFromHostBuffer_Args* a) {
  if (a->type != PJRT_Buffer_Type_F32 || a->num_dims > 8) return failure("a buffer that is no F32");
  a->buffer = new_buffer(a->num_dims, a->dims);
  memcpy(a->buffer->data, a->data, a->buffer->size);
  a->done_with_host_buffer = &event;
  return NULL;
}
static PJRT_Error* buffer_dims(PJRT_Buffer_Dimensions_Args* a) {
  a->dims = a->buffer->dims;
  a->num_dims = a->buffer->rank;
  return NULL;
}
static PJRT_Error* to_host(PJRT_Buffer_ToHostBuffer_Args* a) {
  if (a->src->gone) return failure("a buffer is read that was donated");
  if (a->dst_size != (size_t)a->src->size) return failure("a buffer is read with another size");
  memcpy(a->dst, a->src->data, a->dst_size);
  a->event = &event;
  return NULL;
}
static PJRT_Error* buffer_destroy(PJRT_Buffer_Destroy_Args* a) {
  free(a->buffer->data);
  free(a->buffer);
  return NULL;
}

static PJRT_Error* execute(PJRT_LoadedExecutable_Execute_Args* a) {
  PJRT_Error* e = NULL;
  PJRT_Buffer* const* in = a->argument_lists[0];
  for (size_t i = 0; i < a->num_args; i++)
    if (!in[i] || in[i]->gone) return failure("an argument was donated before");
  put("E", 1);
  number(a->executable->id);
  number(a->num_args);
  for (size_t i = 0; i < a->num_args; i++) {
    number(in[i]->size);
    put(in[i]->data, in[i]->size);
  }
  answer(&e);
  if (e) return e;
  for (int64_t i = 0; i < a->executable->outputs; i++) {
    int64_t rank, dims[8];
    get(&rank, sizeof rank);
    get(dims, 8 * rank);
    PJRT_Buffer* b = a->output_lists[0][i] = new_buffer(rank, dims);
    get(b->data, b->size);
  }
  for (size_t i = 0; i < a->num_args; i++) {
    bool kept = false;
    for (size_t k = 0; k < a->options->num_non_donatable_input_indices; k++)
      kept |= a->options->non_donatable_input_indices[k] == (int64_t)i;
    in[i]->gone = !kept;
  }
  if (a->device_complete_events) a->device_complete_events[0] = &event;
  return NULL;
}

const PJRT_Api* GetPjrtApi(void) {
  static PJRT_Api api;
  api.struct_size = PJRT_Api_STRUCT_SIZE;
  api.pjrt_api_version.major_version = PJRT_API_MAJOR;
  api.pjrt_api_version.minor_version = PJRT_API_MINOR;
  api.PJRT_Error_Destroy = error_destroy;
  api.PJRT_Error_Message = error_message;
  api.PJRT_Error_GetCode = error_code;
  api.PJRT_Plugin_Initialize = initialize;
  api.PJRT_Plugin_Attributes = attributes;
  api.PJRT_Event_Destroy = event_destroy;
  api.PJRT_Event_Await = event_await;
  api.PJRT_Client_Create = client_create;
  api.PJRT_Client_Destroy = client_destroy;
  api.PJRT_Client_PlatformName = platform_name;
  api.PJRT_Client_PlatformVersion = platform_version;
  api.PJRT_Client_ProcessIndex = process_index;
  api.PJRT_Client_AddressableDevices = addressable;
  api.PJRT_Device_LocalHardwareId = hardware_id;
  api.PJRT_Device_IsAddressable = is_addressable;
  api.PJRT_Device_GetDescription = get_description;
  api.PJRT_DeviceDescription_ProcessIndex = description_process;
  api.PJRT_DeviceDescription_DebugString = debug_string;
  api.PJRT_Client_Compile = compile;
  api.PJRT_LoadedExecutable_GetExecutable = get_executable;
  api.PJRT_LoadedExecutable_Destroy = loaded_destroy;
  api.PJRT_Executable_Destroy = executable_destroy;
  api.PJRT_Executable_Name = executable_name;
  api.PJRT_Executable_NumOutputs = num_outputs;
  api.PJRT_Executable_GetCompiledMemoryStats = memory_stats;
  api.PJRT_Client_BufferFromHostBuffer = from_host;
  api.PJRT_Buffer_Dimensions = buffer_dims;
  api.PJRT_Buffer_ToHostBuffer = to_host;
  api.PJRT_Buffer_Destroy = buffer_destroy;
  api.PJRT_LoadedExecutable_Execute = execute;
  return &api;
}
