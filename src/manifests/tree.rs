//! One YAML document as a thin tree that knows where everything was written.
//!
//! Aliases share the node they name; what they expand to is bounded where the tree becomes a value.

use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, Span};

use super::source::{Source, SourcePlace, Style};

/// How deeply lists and mappings may be nested.
const MAX_DEPTH: usize = 100;

/// A node of a document.
#[derive(Debug)]
pub(super) struct Node {
    pub place: SourcePlace,
    pub content: Content,
}

#[derive(Debug)]
pub(super) enum Content {
    Scalar { text: String, tag: Option<String> },
    Sequence(Vec<Rc<Node>>),
    Mapping(Vec<(Rc<Node>, Rc<Node>)>),
    Alias(Rc<Node>),
}

/// Why a document could not be read, and the byte offset in the source.
#[derive(Debug)]
pub(super) struct SyntaxError {
    pub offset: usize,
    pub message: String,
}

/// Parses the stretch of the source from `begin` to `end` as one document; none if there is nothing in it.
pub(super) fn parse(source: &Arc<Source>, begin: usize, end: usize) -> Result<Option<Rc<Node>>, SyntaxError> {
    let text = &source.text()[begin..end];
    let offsets: Vec<usize> = text.char_indices().map(|(at, _)| begin + at).chain([end]).collect();
    let mut builder = Builder { source, offsets, open: Vec::new(), anchors: HashMap::new(), root: None };
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| builder.syntax_error(&error))?;
        if matches!(event, Event::DocumentEnd) {
            break;
        }
        builder.take(event, span)?;
    }
    Ok(builder.root)
}

struct Builder<'a> {
    source: &'a Arc<Source>,
    /// The byte offset of each character; the parser counts in characters.
    offsets: Vec<usize>,
    open: Vec<Open>,
    anchors: HashMap<usize, Rc<Node>>,
    root: Option<Rc<Node>>,
}

/// A list or mapping that has begun and not ended.
struct Open {
    place: SourcePlace,
    anchor: usize,
    mapping: bool,
    children: Vec<Rc<Node>>,
}

impl Builder<'_> {
    fn take(&mut self, event: Event<'_>, span: Span) -> Result<(), SyntaxError> {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let place = self.place(span, style_of(style));
                let quoted = !matches!(style, ScalarStyle::Plain);
                let tag = tag.map(|tag| format!("{}{}", tag.handle, tag.suffix));
                let tag = tag.or_else(|| quoted.then(|| "tag:yaml.org,2002:str".to_owned()));
                self.finish(
                    anchor,
                    Node { place, content: Content::Scalar { text: text.into_owned(), tag } },
                );
            }
            Event::Alias(anchor) => {
                let place = self.place(span, Style::Collection);
                let target = self.anchors.get(&anchor).cloned();
                let target = target.ok_or_else(|| SyntaxError {
                    offset: place.start,
                    message: "this alias stands within the value it names".to_owned(),
                })?;
                self.finish(0, Node { place, content: Content::Alias(target) });
            }
            Event::SequenceStart(anchor, _) => self.begin(span, anchor, false)?,
            Event::MappingStart(anchor, _) => self.begin(span, anchor, true)?,
            Event::SequenceEnd | Event::MappingEnd => self.end(),
            _ => {}
        }
        Ok(())
    }

    fn begin(&mut self, span: Span, anchor: usize, mapping: bool) -> Result<(), SyntaxError> {
        let place = self.place(span, Style::Collection);
        if self.open.len() == MAX_DEPTH {
            let message = format!("lists and mappings are nested more than {MAX_DEPTH} deep");
            return Err(SyntaxError { offset: place.start, message });
        }
        self.open.push(Open { place, anchor, mapping, children: Vec::new() });
        Ok(())
    }

    fn end(&mut self) {
        let Some(open) = self.open.pop() else { return };
        let content = if open.mapping {
            let mut children = open.children.into_iter();
            Content::Mapping(std::iter::from_fn(|| Some((children.next()?, children.next()?))).collect())
        } else {
            Content::Sequence(open.children)
        };
        self.finish(open.anchor, Node { place: open.place, content });
    }

    fn finish(&mut self, anchor: usize, node: Node) {
        let node = Rc::new(node);
        if anchor != 0 {
            self.anchors.insert(anchor, node.clone());
        }
        match self.open.last_mut() {
            Some(open) => open.children.push(node),
            None => self.root = Some(node),
        }
    }

    fn place(&self, span: Span, style: Style) -> SourcePlace {
        let offset =
            |index: usize| self.offsets.get(index).or(self.offsets.last()).copied().unwrap_or_default();
        let (start, end) = (offset(span.start.index()), offset(span.end.index()));
        SourcePlace { source: self.source.clone(), start, end: end.max(start), style }
    }

    fn syntax_error(&self, error: &ScanError) -> SyntaxError {
        let index = error.marker().index().min(self.offsets.len() - 1);
        SyntaxError { offset: self.offsets[index], message: error.info().to_owned() }
    }
}

fn style_of(style: ScalarStyle) -> Style {
    match style {
        ScalarStyle::Plain => Style::Plain,
        ScalarStyle::SingleQuoted => Style::SingleQuoted,
        ScalarStyle::DoubleQuoted => Style::DoubleQuoted,
        ScalarStyle::Literal | ScalarStyle::Folded => Style::Block,
    }
}
