// SPDX-License-Identifier: Apache-2.0
//
// The engine under the names that Vivado makes interfaces of: s_axi_ctl, m_axi_mem, irq. In
// Verilog, because a block design takes no SystemVerilog module.
//
// What the engine leaves out is constant here: bursts are INCR, of whole words; memory is normal,
// bufferable, not cached; accesses are secure, to data. There is one ID, so there are no signals of it.
//
// Relies on AddressBits and WordBytes being those of the package, which the engine checks.

module cnnaccel_engine #(
  parameter integer AddressBits = 32,  // of an AXI address
  parameter integer WordBytes   = 8    // C
) (
  (* X_INTERFACE_INFO = "xilinx.com:signal:clock:1.0 clk CLK" *)
  (* X_INTERFACE_PARAMETER = "ASSOCIATED_BUSIF s_axi_ctl:m_axi_mem, ASSOCIATED_RESET resetn" *)
  input  wire clk,     // the one clock
  (* X_INTERFACE_INFO = "xilinx.com:signal:reset:1.0 resetn RST" *)
  (* X_INTERFACE_PARAMETER = "POLARITY ACTIVE_LOW" *)
  input  wire resetn,  // synchronous, active low
  (* X_INTERFACE_INFO = "xilinx.com:signal:interrupt:1.0 irq INTERRUPT" *)
  (* X_INTERFACE_PARAMETER = "SENSITIVITY LEVEL_HIGH" *)
  output wire irq,     // level, until interrupt_status is cleared

  input  wire [ 7:0] s_axi_ctl_awaddr,   // AW: the first byte
  input  wire [ 2:0] s_axi_ctl_awprot,   // AW: makes no difference
  input  wire        s_axi_ctl_awvalid,  // AW: an address to write to is offered
  output wire        s_axi_ctl_awready,  // AW: it is taken
  input  wire [31:0] s_axi_ctl_wdata,    // W: its bytes, the first lowest
  input  wire [ 3:0] s_axi_ctl_wstrb,    // W: which of them are written
  input  wire        s_axi_ctl_wvalid,   // W: a beat is offered
  output wire        s_axi_ctl_wready,   // W: it is taken
  output wire [ 1:0] s_axi_ctl_bresp,    // B: OKAY, or what went wrong
  output wire        s_axi_ctl_bvalid,   // B: a response is offered
  input  wire        s_axi_ctl_bready,   // B: it is taken
  input  wire [ 7:0] s_axi_ctl_araddr,   // AR: the first byte
  input  wire [ 2:0] s_axi_ctl_arprot,   // AR: makes no difference
  input  wire        s_axi_ctl_arvalid,  // AR: an address to read from is offered
  output wire        s_axi_ctl_arready,  // AR: it is taken
  output wire [31:0] s_axi_ctl_rdata,    // R: its bytes, the first lowest
  output wire [ 1:0] s_axi_ctl_rresp,    // R: OKAY, or what went wrong
  output wire        s_axi_ctl_rvalid,   // R: a beat is offered
  input  wire        s_axi_ctl_rready,   // R: it is taken

  output wire [AddressBits-1:0] m_axi_mem_araddr,   // AR: the first byte
  output wire [            7:0] m_axi_mem_arlen,    // AR: beats - 1
  output wire [            2:0] m_axi_mem_arsize,   // AR: log2 of a beat's bytes
  output wire [            1:0] m_axi_mem_arburst,  // AR: INCR
  output wire                   m_axi_mem_arlock,   // AR: not exclusive
  output wire [            3:0] m_axi_mem_arcache,  // AR: normal memory, bufferable
  output wire [            2:0] m_axi_mem_arprot,   // AR: secure, data
  output wire [            3:0] m_axi_mem_arqos,    // AR: none asked for
  output wire                   m_axi_mem_arvalid,  // AR: an address to read from is offered
  input  wire                   m_axi_mem_arready,  // AR: it is taken
  input  wire [8*WordBytes-1:0] m_axi_mem_rdata,    // R: its bytes, the first lowest
  input  wire [            1:0] m_axi_mem_rresp,    // R: OKAY, or what went wrong
  input  wire                   m_axi_mem_rlast,    // R: it is its burst's last
  input  wire                   m_axi_mem_rvalid,   // R: a beat is offered
  output wire                   m_axi_mem_rready,   // R: it is taken
  output wire [AddressBits-1:0] m_axi_mem_awaddr,   // AW: the first byte
  output wire [            7:0] m_axi_mem_awlen,    // AW: beats - 1
  output wire [            2:0] m_axi_mem_awsize,   // AW: log2 of a beat's bytes
  output wire [            1:0] m_axi_mem_awburst,  // AW: INCR
  output wire                   m_axi_mem_awlock,   // AW: not exclusive
  output wire [            3:0] m_axi_mem_awcache,  // AW: normal memory, bufferable
  output wire [            2:0] m_axi_mem_awprot,   // AW: secure, data
  output wire [            3:0] m_axi_mem_awqos,    // AW: none asked for
  output wire                   m_axi_mem_awvalid,  // AW: an address to write to is offered
  input  wire                   m_axi_mem_awready,  // AW: it is taken
  output wire [8*WordBytes-1:0] m_axi_mem_wdata,    // W: its bytes, the first lowest
  output wire [  WordBytes-1:0] m_axi_mem_wstrb,    // W: which of them are written
  output wire                   m_axi_mem_wlast,    // W: it is its burst's last
  output wire                   m_axi_mem_wvalid,   // W: a beat is offered
  input  wire                   m_axi_mem_wready,   // W: it is taken
  input  wire [            1:0] m_axi_mem_bresp,    // B: OKAY, or what went wrong
  input  wire                   m_axi_mem_bvalid,   // B: a response is offered
  output wire                   m_axi_mem_bready    // B: it is taken
);

  localparam [2:0] Size = WordBytes == 4 ? 3'd2 : WordBytes == 8 ? 3'd3 : 3'd4;
  localparam [1:0] Incr = 2'b01;
  localparam [3:0] Memory = 4'b0011;

  assign m_axi_mem_arsize  = Size;
  assign m_axi_mem_arburst = Incr;
  assign m_axi_mem_arlock  = 1'b0;
  assign m_axi_mem_arcache = Memory;
  assign m_axi_mem_arprot  = 3'b000;
  assign m_axi_mem_arqos   = 4'b0000;
  assign m_axi_mem_awsize  = Size;
  assign m_axi_mem_awburst = Incr;
  assign m_axi_mem_awlock  = 1'b0;
  assign m_axi_mem_awcache = Memory;
  assign m_axi_mem_awprot  = 3'b000;
  assign m_axi_mem_awqos   = 4'b0000;

  // The engine makes no difference between kinds of access.
  wire unused_prot = ^{s_axi_ctl_awprot, s_axi_ctl_arprot};

  engine #(
    .PortAddressBits(AddressBits),
    .PortWordBytes  (WordBytes)
  ) u_engine (
    .clk_i        (clk),
    .rst_ni       (resetn),
    .interrupt_o  (irq),
    .ctl_awvalid_i(s_axi_ctl_awvalid),
    .ctl_awready_o(s_axi_ctl_awready),
    .ctl_awaddr_i (s_axi_ctl_awaddr),
    .ctl_wvalid_i (s_axi_ctl_wvalid),
    .ctl_wready_o (s_axi_ctl_wready),
    .ctl_wdata_i  (s_axi_ctl_wdata),
    .ctl_wstrb_i  (s_axi_ctl_wstrb),
    .ctl_bvalid_o (s_axi_ctl_bvalid),
    .ctl_bready_i (s_axi_ctl_bready),
    .ctl_bresp_o  (s_axi_ctl_bresp),
    .ctl_arvalid_i(s_axi_ctl_arvalid),
    .ctl_arready_o(s_axi_ctl_arready),
    .ctl_araddr_i (s_axi_ctl_araddr),
    .ctl_rvalid_o (s_axi_ctl_rvalid),
    .ctl_rready_i (s_axi_ctl_rready),
    .ctl_rdata_o  (s_axi_ctl_rdata),
    .ctl_rresp_o  (s_axi_ctl_rresp),
    .mem_arvalid_o(m_axi_mem_arvalid),
    .mem_arready_i(m_axi_mem_arready),
    .mem_araddr_o (m_axi_mem_araddr),
    .mem_arlen_o  (m_axi_mem_arlen),
    .mem_rvalid_i (m_axi_mem_rvalid),
    .mem_rready_o (m_axi_mem_rready),
    .mem_rdata_i  (m_axi_mem_rdata),
    .mem_rresp_i  (m_axi_mem_rresp),
    .mem_rlast_i  (m_axi_mem_rlast),
    .mem_awvalid_o(m_axi_mem_awvalid),
    .mem_awready_i(m_axi_mem_awready),
    .mem_awaddr_o (m_axi_mem_awaddr),
    .mem_awlen_o  (m_axi_mem_awlen),
    .mem_wvalid_o (m_axi_mem_wvalid),
    .mem_wready_i (m_axi_mem_wready),
    .mem_wdata_o  (m_axi_mem_wdata),
    .mem_wstrb_o  (m_axi_mem_wstrb),
    .mem_wlast_o  (m_axi_mem_wlast),
    .mem_bvalid_i (m_axi_mem_bvalid),
    .mem_bready_o (m_axi_mem_bready),
    .mem_bresp_i  (m_axi_mem_bresp)
  );

endmodule
