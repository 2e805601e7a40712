package hlotest

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Long because it is one grammar, read from top to bottom.

// kind is an element type.
type kind string

const (
	f32  kind = "f32"
	bf16 kind = "bf16"
	ui32 kind = "ui32"
	i1   kind = "i1"
)

// maxElements bounds an array that a text may ask for.
const maxElements = 1 << 28

// typ is a tensor's type.
type typ struct {
	kind kind
	dims []int
}

func (t typ) size() int {
	n := 1
	for _, d := range t.dims {
		n *= d
	}
	return n
}

func (t typ) equal(o typ) bool { return t.kind == o.kind && slices.Equal(t.dims, o.dims) }

func (t typ) String() string {
	s := ""
	for _, d := range t.dims {
		s += strconv.Itoa(d) + "x"
	}
	return "tensor<" + s + string(t.kind) + ">"
}

// stmt is one operator.
type stmt struct {
	name    string // such as add
	in, out []int  // values, by number
	inType  []typ
	outType []typ
	attrs   map[string]string // as they are written, without blanks
	regions []*function
	data    []float64 // of a constant: one element, or all
}

// function is main or a region.
type function struct {
	args   []int
	types  []typ
	donate []int // of main: the result that may take an argument's place; -1 for none
	body   []stmt
	result []int
	gives  []typ
}

// Program is a parsed module.
type Program struct {
	main   *function
	values int
	steps  []step
	last   [][]int // by step: the values that no later one reads
}

// step is a statement that is ready to run.
type step struct {
	run operator
	in  []int
	out int
	typ typ
}

// Parse reads a module. What Emit does not write is an error that names the line.
func Parse(text []byte) (*Program, error) {
	p := &parser{text: string(text), names: map[string]int{}, types: map[int]typ{}}
	f, err := p.module()
	if err != nil {
		return nil, fmt.Errorf("line %d: %w", 1+strings.Count(p.text[:p.last], "\n"), err)
	}
	prog := &Program{main: f, values: len(p.types)}
	if err := prog.check(f); err != nil {
		return nil, err
	}
	return prog, nil
}

// parser reads tokens off a text. Names are unique in the whole text, as go-xla's builder makes them.
type parser struct {
	text  string
	at    int
	last  int // where the last token began, for messages
	names map[string]int
	types map[int]typ
	depth int
}

func (p *parser) space() {
	for p.at < len(p.text) && strings.IndexByte(" \t\r\n", p.text[p.at]) >= 0 {
		p.at++
	}
	p.last = p.at
}

// take reads a piece of text if it is next.
func (p *parser) take(s string) bool {
	p.space()
	if strings.HasPrefix(p.text[p.at:], s) {
		p.at += len(s)
		return true
	}
	return false
}

func (p *parser) want(s string) error {
	if !p.take(s) {
		return fmt.Errorf("%q is wanted, and there is %q", s, p.rest())
	}
	return nil
}

func (p *parser) wants(list ...string) error {
	for _, s := range list {
		if err := p.want(s); err != nil {
			return err
		}
	}
	return nil
}

func (p *parser) rest() string {
	return p.text[p.at:min(p.at+24, len(p.text))]
}

// word reads letters, digits and what may stand between them.
func (p *parser) word() string {
	p.space()
	from := p.at
	for p.at < len(p.text) {
		c := p.text[p.at]
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '.') {
			break
		}
		p.at++
	}
	return p.text[from:p.at]
}

// list reads things with commas between them up to an end.
func (p *parser) list(end string, item func() error) error {
	if p.take(end) {
		return nil
	}
	for {
		if err := item(); err != nil {
			return err
		}
		if p.take(end) {
			return nil
		}
		if err := p.want(","); err != nil {
			return err
		}
	}
}

func (p *parser) module() (*function, error) {
	if err := p.wants("module", "@"); err != nil {
		return nil, err
	}
	p.word()
	if err := p.wants("{", "func.func", "@main", "("); err != nil {
		return nil, err
	}
	f := &function{}
	if err := p.list(")", func() error { return p.argument(f, true) }); err != nil {
		return nil, err
	}
	if err := p.want("->"); err != nil {
		return nil, err
	}
	gives, err := p.someTypes()
	if err != nil {
		return nil, err
	}
	if err := p.want("{"); err != nil {
		return nil, err
	}
	if err := p.statements(f); err != nil {
		return nil, err
	}
	if !slices.EqualFunc(gives, f.gives, typ.equal) {
		return nil, fmt.Errorf("main says that it gives %v, and returns %v", gives, f.gives)
	}
	if err := p.wants("}", "}"); err != nil {
		return nil, err
	}
	if p.space(); p.at < len(p.text) {
		return nil, fmt.Errorf("%q stands behind the module", p.rest())
	}
	return f, nil
}

func (p *parser) argument(f *function, donates bool) error {
	id, err := p.define()
	if err != nil {
		return err
	}
	if err := p.want(":"); err != nil {
		return err
	}
	t, err := p.typ()
	if err != nil {
		return err
	}
	p.types[id] = t
	f.args, f.types, f.donate = append(f.args, id), append(f.types, t), append(f.donate, -1)
	if donates && p.take("{") {
		if err := p.wants("tf.aliasing_output", "="); err != nil {
			return err
		}
		n, err := strconv.Atoi(p.word())
		if err != nil || n < 0 {
			return fmt.Errorf("an aliased output is a number")
		}
		f.donate[len(f.donate)-1] = n
		return p.wants(":", "i32", "}")
	}
	return nil
}

func (p *parser) define() (int, error) {
	if err := p.want("%"); err != nil {
		return 0, err
	}
	name := p.word()
	if _, ok := p.names[name]; ok || name == "" {
		return 0, fmt.Errorf("the value %%%s is made twice", name)
	}
	id := len(p.names)
	p.names[name] = id
	p.types[id] = typ{}
	return id, nil
}

func (p *parser) use() (int, error) {
	if err := p.want("%"); err != nil {
		return 0, err
	}
	name := p.word()
	id, ok := p.names[name]
	if !ok {
		return 0, fmt.Errorf("the value %%%s is not made before it is used", name)
	}
	return id, nil
}

// typ reads tensor<2x3xf32>.
func (p *parser) typ() (t typ, err error) {
	if err := p.wants("tensor", "<"); err != nil {
		return t, err
	}
	parts := strings.Split(p.word(), "x")
	size := 1
	for _, s := range parts[:len(parts)-1] {
		d, err := strconv.Atoi(s)
		if err != nil || d < 1 || d > maxElements/size {
			return t, fmt.Errorf("an axis of %q is not possible", s)
		}
		size *= d
		t.dims = append(t.dims, d)
	}
	if len(t.dims) > 8 {
		return t, fmt.Errorf("an array of %d axes", len(t.dims))
	}
	switch t.kind = kind(parts[len(parts)-1]); t.kind {
	case f32, bf16, ui32, i1:
	default:
		return t, fmt.Errorf("the element type %q is not known", t.kind)
	}
	return t, p.want(">")
}

// someTypes reads one type, or several in brackets, or none.
func (p *parser) someTypes() (list []typ, err error) {
	one := func() error {
		t, err := p.typ()
		list = append(list, t)
		return err
	}
	if p.take("(") {
		return list, p.list(")", one)
	}
	return list, one()
}

// statements reads a function's body to its return.
func (p *parser) statements(f *function) error {
	for {
		s, err := p.statement()
		if err != nil {
			return err
		}
		if s.name == "return" {
			if len(s.out) > 0 || len(s.attrs) > 0 || len(s.regions) > 0 {
				return fmt.Errorf("a return has operands alone")
			}
			f.result, f.gives = s.in, s.inType
			return nil
		}
		f.body = append(f.body, s)
	}
}

func (p *parser) statement() (s stmt, err error) {
	for p.space(); p.at < len(p.text) && p.text[p.at] == '%'; p.space() {
		id, err := p.define()
		if err != nil {
			return s, err
		}
		s.out = append(s.out, id)
		if !p.take(",") {
			break
		}
	}
	if len(s.out) > 0 {
		if err := p.want("="); err != nil {
			return s, err
		}
	}
	if err := p.want(`"stablehlo.`); err != nil {
		return s, err
	}
	s.name = p.word()
	if err := p.wants(`"`, "("); err != nil {
		return s, err
	}
	err = p.list(")", func() error {
		id, err := p.use()
		s.in = append(s.in, id)
		return err
	})
	if err != nil {
		return s, err
	}
	if p.take("(") {
		if err := p.list(")", func() error { return p.region(&s) }); err != nil {
			return s, err
		}
	}
	if p.take("{") {
		if err := p.attributes(&s); err != nil {
			return s, err
		}
	}
	return s, p.signature(&s)
}

// region reads {^name(%a: type, …) : statements}.
func (p *parser) region(s *stmt) error {
	if p.depth++; p.depth > 2 {
		return fmt.Errorf("regions lie too deep")
	}
	defer func() { p.depth-- }()
	if err := p.wants("{", "^"); err != nil {
		return err
	}
	p.word()
	if err := p.want("("); err != nil {
		return err
	}
	f := &function{}
	if err := p.list(")", func() error { return p.argument(f, false) }); err != nil {
		return err
	}
	if err := p.want(":"); err != nil {
		return err
	}
	if err := p.statements(f); err != nil {
		return err
	}
	s.regions = append(s.regions, f)
	return p.want("}")
}

// attributes reads name = text pairs. The text ends at a comma or a brace outside of brackets.
func (p *parser) attributes(s *stmt) error {
	s.attrs = map[string]string{}
	return p.list("}", func() error {
		name := p.word()
		if err := p.want("="); err != nil {
			return err
		}
		text, err := p.balanced()
		if err != nil {
			return err
		}
		if _, ok := s.attrs[name]; ok {
			return fmt.Errorf("the attribute %s stands there twice", name)
		}
		s.attrs[name] = text
		return nil
	})
}

func (p *parser) balanced() (string, error) {
	p.space()
	var b strings.Builder
	for open := 0; p.at < len(p.text); p.at++ {
		switch c := p.text[p.at]; c {
		case '<', '[', '(':
			open++
		case '>', ']', ')':
			if open > 0 && !strings.HasSuffix(b.String()[max(0, b.Len()-1):], "-") { // not the > of ->
				open--
			}
		case ',', '}':
			if open == 0 {
				return b.String(), nil
			}
		}
		if c := p.text[p.at]; c != ' ' && c != '\n' && c != '\t' && c != '\r' {
			b.WriteByte(c)
		}
	}
	return "", fmt.Errorf("an attribute has no end")
}

// signature reads (types) -> types and holds them against what is known of the values.
func (p *parser) signature(s *stmt) (err error) {
	if err := p.wants(":", "("); err != nil {
		return err
	}
	err = p.list(")", func() error {
		t, err := p.typ()
		s.inType = append(s.inType, t)
		return err
	})
	if err != nil {
		return err
	}
	if err := p.want("->"); err != nil {
		return err
	}
	if s.outType, err = p.someTypes(); err != nil {
		return err
	}
	if len(s.inType) != len(s.in) || len(s.outType) != len(s.out) {
		return fmt.Errorf("%s has %d operands and %d results, and types of %d and %d", s.name, len(s.in), len(s.out), len(s.inType), len(s.outType))
	}
	for i, id := range s.in {
		if !p.types[id].equal(s.inType[i]) {
			return fmt.Errorf("%s: operand %d is %v and should be %v", s.name, i, p.types[id], s.inType[i])
		}
	}
	for i, id := range s.out {
		p.types[id] = s.outType[i]
	}
	if s.name == "constant" {
		return p.constant(s)
	}
	return nil
}

// constant reads value = dense<…> : type.
func (p *parser) constant(s *stmt) error {
	text, ok := s.attrs["value"]
	if !ok || len(s.attrs) != 1 || len(s.in) != 0 || len(s.out) != 1 {
		return fmt.Errorf("a constant has a value alone")
	}
	text, t, ok := strings.Cut(text, ">:")
	text, dense := strings.CutPrefix(text, "dense<")
	if !ok || !dense || t != s.outType[0].String() {
		return fmt.Errorf("a constant of %v is %q", s.outType[0], s.attrs["value"])
	}
	for _, w := range strings.FieldsFunc(text, func(r rune) bool { return r == '[' || r == ']' || r == ',' }) {
		x, err := number(w, s.outType[0].kind)
		if err != nil {
			return err
		}
		s.data = append(s.data, x)
	}
	if len(s.data) != s.outType[0].size() && len(s.data) != 1 {
		return fmt.Errorf("a constant of %v has %d elements", s.outType[0], len(s.data))
	}
	return nil
}

// number reads a literal; of floats also the bits, which is how infinities are written.
func number(w string, k kind) (float64, error) {
	if hex, ok := strings.CutPrefix(w, "0x"); ok && (k == f32 || k == bf16) {
		n, err := strconv.ParseUint(hex, 16, 32)
		if k == bf16 {
			n <<= 16
		}
		return float64(math.Float32frombits(uint32(n))), err
	}
	switch k {
	case f32, bf16:
		return strconv.ParseFloat(w, 64)
	case ui32:
		n, err := strconv.ParseUint(w, 10, 32)
		return float64(n), err
	}
	return 0, fmt.Errorf("a constant of %s is not known", k)
}
