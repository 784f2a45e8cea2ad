import RegistryClient
import Testing

@Suite struct LinkTests {
    @Test(arguments: [
        // Relative and absolute targets are given as they are.
        (#"</v2/_catalog?last=b&n=2>; rel="next""#, "/v2/_catalog?last=b&n=2"),
        (#"<https://r.example/v2/a/tags/list?last=x%2Fy>; rel="next""#, "https://r.example/v2/a/tags/list?last=x%2Fy"),
        (#"<?last=b>; rel="next""#, "?last=b"),
        // The relation may be without quotes, in any case, with blanks round it, and not the only one.
        ("<a>; rel=next", "a"),
        ("<a>;REL=NEXT", "a"),
        (#"<a> ; rel = "next" "#, "a"),
        (#"<a>; rel="last next""#, "a"),
        (#"<a>; title="x"; rel="next"; type="y""#, "a"),
        // Of several links the one that leads on is taken, the first where there are two.
        (#"<p>; rel="prev", <n>; rel="next""#, "n"),
        (#"<n>; rel="next", <p>; rel="prev""#, "n"),
        (#"<n>; rel="next",<m>; rel="next""#, "n"),
        (#"<p>, <n>; rel="next""#, "n"),
        // A target may hold what separates links elsewhere.
        (#"<a?x=1,2;y>; rel="next""#, "a?x=1,2;y"),
        // Another relation, or none, leads nowhere.
        (#"<a>; rel="prev""#, nil),
        (#"<a>; rel="nextpage""#, nil),
        (#"<a>; xrel="next""#, nil),
        ("<a>", nil),
        ("<a>; next", nil),
        // What is no link.
        ("", nil),
        (#"a; rel="next""#, nil),
        (#"<a; rel="next""#, nil),
        (#">a<; rel="next""#, nil),
    ])
    func `the link to the next page is found`(header: String, expected: String?) {
        #expect(Link.next(in: header) == expected)
    }
}
