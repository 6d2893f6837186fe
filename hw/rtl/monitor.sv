// SPDX-License-Identifier: Apache-2.0
//
// What the registers tell of a run: the performance counters and `waiting`, as docs/isa.md lists
// them. A unit waits for DRAM while it is busy and no beat comes for it, or goes from it.
//
// Latency: counters 2 cycles, as `event_counters`; waiting_o 1 cycle.

module monitor
  import cnnaccel_pkg::*;
(
  input logic clk_i,
  input logic rst_ni,

  input logic      clear_i,      // the counters: one cycle
  input logic      running_i,    // the counter of cycles counts
  input logic      flush_i,      // the AXI masters end what is under way
  input activity_t activity_i,   // of the core
  input logic      load_beat_i,  // data have come for load
  input logic      read_i,       // a beat of AXI's R
  input logic      write_i,      // a beat of AXI's W

  output logic [63:0] counters_o[8],  // as the registers list them, from cycles on
  output logic [31:0] waiting_o       // flags Waiting*
);

  u3_t waits[3];
  for (genvar unit = 0; unit < 3; unit++) begin : gen_waits
    assign waits[unit] = activity_i.valid[unit] ? activity_i.missing[unit] : '0;
  end

  // -- Counters ---------------------------------------------------------------------------------

  logic [7:0] events;
  logic [4:0] amounts[8];

  assign events = {
    write_i,
    read_i,
    activity_i.busy[UnitStore],
    activity_i.busy[UnitLoad],
    activity_i.ready[UnitCompute] && waits[UnitCompute][UnitStore],
    activity_i.ready[UnitCompute] && waits[UnitCompute][UnitLoad],
    activity_i.step,
    running_i
  };
  for (genvar i = 0; i < 8; i++) begin : gen_amount
    assign amounts[i] = i < 6 ? 5'd1 : 5'(InputLanes);
  end

  event_counters u_counters (
    .clk_i,
    .rst_ni,
    .clear_i,
    .event_i  (events),
    .amount_i (amounts),
    .counter_o(counters_o)
  );

  // -- Waiting ----------------------------------------------------------------------------------

  logic [31:0] waiting;

  always_comb begin
    waiting = '0;
    waiting[WaitingFetchDram]    = !activity_i.fetch_still;
    waiting[WaitingFetchQueue]   = activity_i.fetch_still && !activity_i.fetch_finished;
    waiting[WaitingLoadBusy]     = activity_i.busy[UnitLoad];
    waiting[WaitingLoadDram]     = activity_i.busy[UnitLoad] && !load_beat_i;
    waiting[WaitingLoadCompute]  = waits[UnitLoad][UnitCompute];
    waiting[WaitingLoadStore]    = waits[UnitLoad][UnitStore];
    waiting[WaitingComputeBusy]  = activity_i.busy[UnitCompute];
    waiting[WaitingComputeLoad]  = waits[UnitCompute][UnitLoad];
    waiting[WaitingComputeStore] = waits[UnitCompute][UnitStore];
    waiting[WaitingStoreBusy]    = activity_i.busy[UnitStore];
    waiting[WaitingStoreDram]    = activity_i.busy[UnitStore] && !write_i;
    waiting[WaitingStoreLoad]    = waits[UnitStore][UnitLoad];
    waiting[WaitingStoreCompute] = waits[UnitStore][UnitCompute];
    waiting[WaitingEndDram]      = flush_i;
  end

  always_ff @(posedge clk_i) waiting_o <= waiting;

endmodule
